"""google-auth's own client for token exchange, which can name an actor too."""

import os
from pathlib import Path

import requests
from google.auth.transport.requests import Request
from google.oauth2.sts import Client

sts = Client(f"{os.environ['STS']}/oauth/2/token")
issued = sts.exchange_token(
    Request(),
    grant_type="urn:ietf:params:oauth:grant-type:token-exchange",
    subject_token=Path(os.environ["TOKEN_FILE"]).read_text(),
    subject_token_type="urn:ietf:params:oauth:token-type:jwt",
    audience=os.environ["API"],
    scopes=["read"],
)
headers = {"Authorization": f"{issued['token_type']} {issued['access_token']}"}
print(requests.get(os.environ["API"], headers=headers).text)
