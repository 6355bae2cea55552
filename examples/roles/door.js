/**
 * Decides who may enter: whoever knows the password, in the header Authorization (lighttpd) or as Apache has taken it
 * from there, or has it in a cookie.
 */
export function makeDoor(_globalConf, { password }) {
  return (req, res) => {
    const visitor = byPassword(req) ?? byCookie(req);
    // Apache asks for a decision once more when it knows the user.
    const known = req.cgi.FCGI_APACHE_ROLE === "AUTHORIZER" && req.cgi.REMOTE_USER !== undefined;
    if (known || visitor?.password === password) {
      res.setVariable("REMOTE_USER", known ? req.cgi.REMOTE_USER : visitor.user);
      res.setVariable("DOOR_GROUP", "friends");
      res.allow();
    } else if (visitor === undefined) {
      res.writeHead(401, { "WWW-Authenticate": 'Basic realm="The door"' }).end("Who is there?\n");
    } else {
      res.deny();
    }
  };
}

function byPassword({ cgi, headers }) {
  // mod_authnz_fcgi; a variable of this name never comes from a client's header.
  if (cgi.REMOTE_PASSWD !== undefined) return { user: cgi.REMOTE_USER, password: cgi.REMOTE_PASSWD };
  const [, basic] = /^Basic (\S+)$/i.exec(headers.authorization ?? "") ?? [];
  if (basic === undefined) return undefined;
  const [user, ...password] = Buffer.from(basic, "base64").toString().split(":");
  return { user, password: password.join(":") };
}

function byCookie({ headers }) {
  const [, user, password] = /(?:^|;\s*)door=(\w+)\.(\w+)/.exec(headers.cookie ?? "") ?? [];
  return user === undefined ? undefined : { user, password };
}
