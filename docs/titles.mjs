/** TypeDoc plugin: a page is called what its first heading says, and not what its file is called. */
import { Converter } from "typedoc";

const HEADING = /^# (.+)\n+/;

/** @param {import("typedoc").Application} app */
export function load(app) {
  app.converter.on(Converter.EVENT_CREATE_DOCUMENT, (_context, document) => {
    const [first] = document.content;
    const title = HEADING.exec(first?.text ?? "")?.[1];
    if (title === undefined) throw new Error(`${document.name}.md does not begin with a heading`);
    document.name = title;
    first.text = first.text.replace(HEADING, "");
  });
}
