// oauth4webapi, with private_key_jwt, whose audience is the issuer by its own default.
import { readFileSync } from 'node:fs';
import * as oauth from 'oauth4webapi';

const { STS, API, KEY_JWK, TOKEN_FILE } = process.env;
const issuer = new URL(STS);
const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm: 'oauth2' }));

const { kid, ...jwk } = JSON.parse(readFileSync(KEY_JWK, 'utf8'));
const key = await crypto.subtle.importKey('jwk', jwk, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign']);
const robot = { client_id: 'robot' };

const answer = await oauth.genericTokenEndpointRequest(
  server,
  robot,
  oauth.PrivateKeyJwt({ key, kid }),
  'urn:ietf:params:oauth:grant-type:token-exchange',
  {
    subject_token: readFileSync(TOKEN_FILE, 'utf8'),
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    audience: API,
    scope: 'read',
  },
);
const issued = await oauth.processGenericTokenEndpointResponse(server, robot, answer);
const seen = await oauth.protectedResourceRequest(issued.access_token, 'GET', new URL(API));
console.log(await seen.text());
