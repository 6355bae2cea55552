/** Says who asks. What the web server has found out is in `req.cgi`, where no header of a client ever is. */
export function makeApp() {
  return (req, res) => {
    const { REMOTE_USER: user, AUTH_TYPE: how, SSL_CLIENT_VERIFY: verified, SSL_CLIENT_S_DN: subject } = req.cgi;
    res.setHeader("Content-Type", "text/plain; charset=utf-8");
    // NONE and FAILED:reason are no certificate, whatever the other variables say.
    if (verified === "SUCCESS") res.end(`By certificate: ${subject}\n`);
    // A web server may set a variable to nothing.
    else if (!user) res.end("Nobody\n");
    else if (how === "openid-connect") res.end(`By OpenID Connect: ${user}, ${req.cgi.OIDC_CLAIM_email}\n`);
    else res.end(`By password: ${user}\n`);
  };
}
