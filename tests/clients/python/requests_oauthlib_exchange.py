"""requests-oauthlib: its session, with a grant of two lines."""

import os
from pathlib import Path

from oauthlib.oauth2 import BackendApplicationClient
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session


class TokenExchange(BackendApplicationClient):
    grant_type = "urn:ietf:params:oauth:grant-type:token-exchange"


session = OAuth2Session(client=TokenExchange("shop", scope=["read"]))
session.fetch_token(
    f"{os.environ['STS']}/oauth/2/token",
    auth=HTTPBasicAuth("shop", os.environ["SECRET"]),
    subject_token=Path(os.environ["TOKEN_FILE"]).read_text(),
    subject_token_type="urn:ietf:params:oauth:token-type:jwt",
    audience=os.environ["API"],
)
print(session.get(os.environ["API"]).text)
