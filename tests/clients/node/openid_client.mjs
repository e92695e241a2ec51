// npm's openid-client: it discovers the service by its metadata, and exchanges by genericGrantRequest.
import { readFileSync } from 'node:fs';
import * as client from 'openid-client';

const { STS, API, SECRET, TOKEN_FILE } = process.env;
const config = await client.discovery(new URL(STS), 'shop', undefined, client.ClientSecretPost(SECRET), { algorithm: 'oauth2' });
const issued = await client.genericGrantRequest(config, 'urn:ietf:params:oauth:grant-type:token-exchange', {
  subject_token: readFileSync(TOKEN_FILE, 'utf8'),
  subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
  audience: API,
  scope: 'read',
});
const answer = await client.fetchProtectedResource(config, issued.access_token, new URL(API), 'GET');
console.log(await answer.text());
