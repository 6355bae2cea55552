/** The smallest app: a factory as a configuration calls it, which returns node's own `(req, res)`. */
export function makeApp(globalConf, { greeting = "Hello" }) {
  return (req, res) => {
    res.setHeader("Content-Type", "text/plain; charset=utf-8");
    res.end(`${greeting} from ${req.url}, mounted at ${req.baseUrl || "/"}\n`);
  };
}
