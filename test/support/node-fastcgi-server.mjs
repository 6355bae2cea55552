/** node-fastcgi in a process that may die of what it is sent; says its port, answers with what it has understood. */
import { createServer } from "node-fastcgi";

const server = createServer((req, res) => {
  res.setHeader("Content-Type", "application/json");
  res.end(JSON.stringify({ authType: req.socket.params.AUTH_TYPE, header: req.headers["x-crafted"] }));
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
