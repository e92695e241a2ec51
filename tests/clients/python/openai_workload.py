"""openai's WorkloadIdentityAuth. It sends JSON, and names neither audience nor scope."""

import os

from openai import OpenAI
from openai.auth import WorkloadIdentityAuth, k8s_service_account_token_provider

identity = WorkloadIdentityAuth(
    workload_identity={
        "identity_provider_id": "cambist",
        "service_account_id": "shop",
        "provider": k8s_service_account_token_provider(os.environ["TOKEN_FILE"]),
    },
    token_exchange_url=f"{os.environ['STS']}/v1/exchange/token",
)
# The issuer's entry has a `default_target`. Who asks for no scope has none, so this part of the API asks for none.
api = OpenAI(base_url=os.environ["API"], api_key=identity.get_token)
print(api.get("/unscoped", cast_to=str))
