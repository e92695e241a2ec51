"""Microsoft's MSAL, with a zone as its authority: it wants a path there, and finds the rest by OpenID's metadata."""

import os

import msal
import requests

authority = f"{os.environ['STS']}/z/tenant"
daemon = msal.ConfidentialClientApplication("daemon", client_credential=os.environ["SECRET"], oidc_authority=authority)
issued = daemon.acquire_token_for_client(["read"])
if "access_token" not in issued:
    raise SystemExit(issued)
headers = {"Authorization": f"{issued['token_type']} {issued['access_token']}"}
print(requests.get(f"{os.environ['API']}/tenant", headers=headers).text)
