/** Announces a style sheet, and a while later answers: `test/e2e/early-hints.test.ts`. */
export function makeApp() {
  return (req, res) => {
    res.writeProcessing();
    res.writeEarlyHints({ link: "</style.css>; rel=preload; as=style" });
    setTimeout(() => res.end(`answer to ${req.url}`), Number(new URL(req.url, "http://a").searchParams.get("after")));
  };
}
