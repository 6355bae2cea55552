/** Says who asks. What the web server has found out is in `req.cgi`, where no header of a client ever is. */
export function makeApp() {
  return (req, res) => {
    const { REMOTE_USER: user, SSL_CLIENT_VERIFY: verified, SSL_CLIENT_S_DN: subject } = req.cgi;
    res.setHeader("Content-Type", "text/plain; charset=utf-8");
    // NONE and FAILED:reason are no certificate, whatever the other variables say.
    if (verified === "SUCCESS") res.end(`By certificate: ${subject}\n`);
    // A web server may set a variable to nothing.
    else if (user) res.end(`By password: ${user}\n`);
    else res.end("Nobody\n");
  };
}
