/** Says who asks, as the door has found out and the web server has handed on. */
export function makeApp() {
  return (req, res) => {
    const { REMOTE_USER: user = "-", DOOR_GROUP: group = "-" } = req.cgi;
    res.setHeader("Content-Type", "text/plain; charset=utf-8");
    res.end(`${req.method} ${req.url}: user ${user}, group ${group}\n`);
  };
}
