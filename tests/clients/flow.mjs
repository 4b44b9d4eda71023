// One app on oauth4webapi, whose person is the test: it says where to send them, and hears where they came back.
//   in:  {base, client_id, redirect_uri, scope, par, dpop, jwk}   (one line of JSON)
//   out: {url}          in: {callback}          out: what it got
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const folder = process.argv[2];
const oauth = await import(pathToFileURL(`${folder}/node_modules/oauth4webapi/build/index.js`).href);
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const hear = async () => JSON.parse((await lines.next()).value);
const say = (what) => process.stdout.write(JSON.stringify(what) + "\n");

const asked = await hear();
const plain = { [oauth.allowInsecureRequests]: true };
const issuer = new URL(asked.issuer);
const as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, plain));
const client = { client_id: asked.client_id };
let proved = oauth.None();
if (asked.jwk) {
  const parameters = { name: "ECDSA", namedCurve: "P-384" };
  const key = await crypto.subtle.importKey("jwk", asked.jwk, parameters, false, ["sign"]);
  proved = oauth.PrivateKeyJwt({ key, kid: asked.jwk.kid });
}
const keys = asked.dpop ? await oauth.generateKeyPair("ES256") : null;
const options = () => (keys ? { ...plain, DPoP: oauth.DPoP(client, keys) } : plain);

const verifier = oauth.generateRandomCodeVerifier();
const state = oauth.generateRandomState();
const nonce = oauth.generateRandomNonce();
const parameters = new URLSearchParams({
  client_id: asked.client_id, redirect_uri: asked.redirect_uri, response_type: "code", scope: asked.scope,
  code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256",
  state, nonce, aud: asked.base,
});
const url = new URL(as.authorization_endpoint);
if (asked.par) {
  const answer = await oauth.pushedAuthorizationRequest(as, client, proved, parameters, options());
  const pushed = await oauth.processPushedAuthorizationResponse(as, client, answer);
  url.search = new URLSearchParams({ client_id: asked.client_id, request_uri: pushed.request_uri }).toString();
} else {
  url.search = parameters.toString();
}
say({ url: url.href });

const back = oauth.validateAuthResponse(as, client, new URL((await hear()).callback), state);
const grant = await oauth.authorizationCodeGrantRequest(as, client, proved, back, asked.redirect_uri, verifier, options());
const tokens = await oauth.processAuthorizationCodeResponse(as, client, grant, { expectedNonce: nonce, requireIdToken: true });
await oauth.validateApplicationLevelSignature(as, grant, plain);
const again = await oauth.processRefreshTokenResponse(as, client,
  await oauth.refreshTokenGrantRequest(as, client, proved, tokens.refresh_token, options()));
const records = new URL(`${asked.base}/Observation?category=laboratory`);
const read = await oauth.protectedResourceRequest(again.access_token, "GET", records, undefined, undefined, options());
const bundle = await read.json();
let introspected = null;
if (asked.jwk) {
  introspected = await oauth.processIntrospectionResponse(as, client,
    await oauth.introspectionRequest(as, client, proved, again.access_token, plain));
}
await oauth.processRevocationResponse(
  await oauth.revocationRequest(as, client, proved, again.refresh_token, plain));
const after = await fetch(records, { headers: { Authorization: `${again.token_type} ${again.access_token}` } });
say({
  sub: oauth.getValidatedIdTokenClaims(tokens).sub, token_type: tokens.token_type, patient: tokens.patient,
  status: read.status, entries: (bundle.entry ?? []).length, introspected, after: after.status,
});
process.exit(0);
