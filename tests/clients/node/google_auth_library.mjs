// npm's google-auth-library, told of Cambist by an `external_account` file, as every Google SDK reads one.
import { GoogleAuth } from 'google-auth-library';

// CREDENTIALS is the file; in it: audience, subject_token_type, token_url, and where the workload's own token lies.
const auth = new GoogleAuth({ keyFile: process.env.CREDENTIALS, scopes: ['read'] });
const client = await auth.getClient();
const { data } = await client.request({ url: process.env.API, responseType: 'text' });
console.log(data);
