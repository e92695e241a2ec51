// npm's oidc-provider as tests need it: one client that gets access tokens, by client credentials, for any resource and scope it asks for.
// They are JWTs; opaque for a resource whose URL has the query `opaque`. Two clients may ask about those, one by secret and one by key.
// node oidc_provider.mjs <folder of the package> <port> <client id> <client secret> <public JWK of the client `by-key`>
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [folder, port, client_id, client_secret, jwk] = process.argv.slice(2);
const main = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).main;
const { Provider } = await import(pathToFileURL(join(folder, main)));

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });

const plain = {
  grant_types: ['client_credentials'], redirect_uris: [], response_types: [], introspection_signed_response_alg: 'RS256',
};

const provider = new Provider(`http://127.0.0.1:${port}`, {
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256' }] },
  clients: [
    { ...plain, client_id, client_secret },
    { ...plain, client_id: 'by-key', token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [JSON.parse(jwk)] } },
  ],
  enabledJWA: { introspectionSigningAlgValues: ['RS256'] },
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    introspection: { enabled: true },
    jwtIntrospection: { enabled: true },
    revocation: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (ctx, resource) => ({
        audience: resource,
        scope: ctx.oidc.params.scope ?? '',
        accessTokenFormat: new URL(resource).search === '?opaque' ? 'opaque' : 'jwt',
        accessTokenTTL: 600,
        jwt: { sign: { alg: 'RS256' } },
      }),
    },
  },
});

createServer(provider.callback()).listen(Number(port), '127.0.0.1');
