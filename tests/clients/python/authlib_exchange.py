"""Authlib's OAuth2Session: an application with a secret exchanges a token."""

import os
from pathlib import Path

from authlib.integrations.requests_client import OAuth2Session

session = OAuth2Session("shop", os.environ["SECRET"])
session.fetch_token(
    f"{os.environ['STS']}/oauth/2/token",
    grant_type="urn:ietf:params:oauth:grant-type:token-exchange",
    subject_token=Path(os.environ["TOKEN_FILE"]).read_text(),
    subject_token_type="urn:ietf:params:oauth:token-type:jwt",
    audience=os.environ["API"],
    scope="read",
)
print(session.get(os.environ["API"]).text)
