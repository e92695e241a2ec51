// npm's oidc-provider doing the same exchange: a custom grant that verifies signature, issuer, audience and times, and signs a JWT access token.
// node oidc_provider.mjs <folder of the package> <port> <processes> <file: {issuer, audience, jwk, client_id, target}>
import cluster from 'node:cluster';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [folder, port, processes, file] = process.argv.slice(2);
const { issuer, audience, jwk, signing, client_id, target } = JSON.parse(readFileSync(file, 'utf8'));
const GRANT = 'urn:ietf:params:oauth:grant-type:token-exchange';

if (cluster.isPrimary) {
  for (let n = 0; n < Number(processes); n += 1) cluster.fork();
} else {
  const main = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).main;
  const { Provider, errors } = await import(pathToFileURL(join(folder, main)));
  const jose = await import(pathToFileURL(createRequire(join(folder, main)).resolve('jose')));
  const key = await jose.importJWK(jwk, 'ES256');

  const provider = new Provider(audience, {
    jwks: { keys: [signing] },
    clients: [{ client_id, grant_types: [GRANT], redirect_uris: [], response_types: [], token_endpoint_auth_method: 'none' }],
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    features: { devInteractions: { enabled: false } },
  });

  provider.registerGrantType(GRANT, async (ctx) => {
    const { subject_token: token, scope } = ctx.oidc.params;
    let payload;
    try {
      ({ payload } = await jose.jwtVerify(token, key, { issuer, audience, algorithms: ['ES256'], requiredClaims: ['exp', 'iat'] }));
    } catch (error) {
      throw new errors.InvalidRequest(error.message);
    }
    const at = new provider.ClientCredentials({ client: ctx.oidc.client, scope });
    at.resourceServer = new provider.ResourceServer(target, { audience: target, scope, accessTokenFormat: 'jwt', accessTokenTTL: 300, jwt: { sign: { alg: 'ES256' } } });
    at.extra = { subject: payload.sub };
    ctx.oidc.entity('ClientCredentials', at);
    ctx.body = { access_token: await at.save(), issued_token_type: 'urn:ietf:params:oauth:token-type:access_token', token_type: at.tokenType, expires_in: at.expiration, scope };
  }, ['subject_token', 'subject_token_type', 'audience', 'scope']);

  createServer(provider.callback()).listen(Number(port), '127.0.0.1');
}
