// The oracle's own package: every factory returns a node that says who was called with what.

const node = (type, factory, globalConf, localConf, rest = {}) => ({
  type,
  factory,
  global_conf: { ...globalConf },
  local_conf: { ...localConf },
  ...rest,
});

const app = (name) => (globalConf, localConf) => node("app", name, globalConf, localConf);
const filter = (name) => (globalConf, localConf) => (inner) =>
  node("filter", name, globalConf, localConf, { app: inner });
const server = (name) => (globalConf, localConf) => (inner) =>
  node("server", name, globalConf, localConf, { app: inner });

export const app_main = app("main");
export const app_other = app("other");
export const app_plain = app("plain");
export const filter_f1 = filter("f1");
export const filter_f2 = filter("f2");
export const filter_plain = filter("plain");
export const server_srv = server("srv");
export const server_main = server("main");

export function app_strict(globalConf, { port, host = "localhost", ...others }) {
  if (port === undefined) throw new TypeError("port is missing");
  for (const key of Object.keys(others)) throw new TypeError(`unexpected ${key}`);
  return node("app", "strict", globalConf, { port, host });
}

export function filter_app(inner, globalConf, localConf) {
  return node("filter", "fa", globalConf, localConf, { app: inner });
}

export function server_runner(inner, globalConf, localConf) {
  return node("server", "runner", globalConf, localConf, { app: inner });
}

export async function composite(loader, globalConf, localConf) {
  const apps = {};
  const options = {};
  for (const [key, value] of Object.entries(localConf)) {
    if (key.startsWith("/")) apps[key] = await loader.getApp(value, { globalConf });
    else options[key] = value;
  }
  return node("composite", "comp", globalConf, options, { apps });
}
