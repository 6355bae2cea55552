/** What a response to the authorizer role can do beside (FastCGI 1.0 section 6.3). */
import type { ServerResponse } from "node:http";

export interface AuthorizerResponse extends ServerResponse {
  /** Has the web server set a variable for the request that follows: sent as `Variable-NAME`. */
  setVariable(name: string, value: string): this;
  /** Answers 200: the web server goes on with the request. */
  allow(): void;
  /** Answers 403, which the client sees. */
  deny(): void;
}

/** Adds `setVariable`, `allow` and `deny`, and the text/plain content type. */
export function hookAuthorizer(response: ServerResponse): AuthorizerResponse {
  response.setHeader("Content-Type", "text/plain");
  return Object.assign(response, {
    setVariable(this: AuthorizerResponse, name: string, value: string): AuthorizerResponse {
      this.setHeader(`Variable-${name}`, value);
      return this;
    },
    allow(this: AuthorizerResponse): void {
      this.writeHead(200).end();
    },
    deny(this: AuthorizerResponse): void {
      this.writeHead(403).end();
    },
  });
}
