// A provider on loopback: node provider.mjs PORT REDIRECT… It says "ready" when it is.
// Its development pages log in whoever gives a name, which becomes the subject.
import { createServer } from "node:http";
import Provider from "oidc-provider";

const [port, ...redirects] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;
const provider = new Provider(issuer, {
  clients: [{
    client_id: "linekey", client_secret: "a-secret-of-this-test",
    redirect_uris: redirects, response_types: ["code"], grant_types: ["authorization_code"],
  }],
  scopes: ["openid", "groups"],
  claims: { openid: ["sub"], groups: ["groups", "preferred_username"] },
  conformIdTokenClaims: false,
  // A name such as "dora:staff:phone-admins" has these groups.
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, groups: id.split(":").slice(1), preferred_username: id.split(":")[0] }),
  }),
  pkce: { required: () => true },
  features: { devInteractions: { enabled: true } },
  cookies: { keys: ["only-for-this-test"] },
});
createServer(provider.callback()).listen(Number(port), "127.0.0.1", () => console.log("ready"));
