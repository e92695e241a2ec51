"""google-auth, told of Cambist by an `external_account` file, as every Google SDK reads one."""

import os

import google.auth
from google.auth.transport.requests import AuthorizedSession

# CREDENTIALS is the file; in it: audience, subject_token_type, token_url, and where the workload's own token lies.
credentials, _ = google.auth.load_credentials_from_file(os.environ["CREDENTIALS"], scopes=["read"])
api = AuthorizedSession(credentials)
print(api.get(os.environ["API"]).text)
