// npm's oidc-provider as tests need it: one client that gets JWT access tokens, by client credentials, for any resource and scope it asks for.
// node oidc_provider.mjs <folder of the package> <port> <client id> <client secret>
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [folder, port, client_id, client_secret] = process.argv.slice(2);
const main = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).main;
const { Provider } = await import(pathToFileURL(join(folder, main)));

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });

const provider = new Provider(`http://127.0.0.1:${port}`, {
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256' }] },
  clients: [{ client_id, client_secret, grant_types: ['client_credentials'], redirect_uris: [], response_types: [] }],
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (ctx, resource) => ({
        audience: resource,
        scope: ctx.oidc.params.scope ?? '',
        accessTokenFormat: 'jwt',
        accessTokenTTL: 600,
        jwt: { sign: { alg: 'RS256' } },
      }),
    },
  },
});

createServer(provider.callback()).listen(Number(port), '127.0.0.1');
