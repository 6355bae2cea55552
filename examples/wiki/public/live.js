/** The live page: puts each edit on top of the list as it is told. */

const MAX_ENTRIES = 50;
const status = document.querySelector("[data-events]");
const state = document.getElementById("state");
const list = document.getElementById("changes");

const events = new EventSource(status.dataset.events);
events.addEventListener("open", () => show("on", "Listening: each edit appears here as it is saved."));
events.addEventListener("error", () => show("off", "The connection is lost; trying again …"));
events.addEventListener("edit", (event) => {
  list.prepend(entry(JSON.parse(event.data)));
  while (list.children.length > MAX_ENTRIES) list.lastElementChild.remove();
});

function show(name, words) {
  status.dataset.state = name;
  state.textContent = words;
}

function entry({ title, number, author, note, at, href }) {
  const date = new Date(at);
  const clock = element("time", `${date.toISOString().slice(11, 19)} UTC`);
  clock.dateTime = date.toISOString();
  const signature = element("span", clock, ` by ${author}`, ...(note === "" ? [] : [": ", element("q", note)]));
  signature.className = "signature";
  const link = element("a", title);
  link.href = href;
  const what = element("span", number === 1 ? "new" : "changed");
  what.className = "what";
  const item = element("li", link, " ", what, " ", signature);
  item.className = "fresh";
  return item;
}

function element(name, ...children) {
  const made = document.createElement(name);
  made.append(...children);
  return made;
}
