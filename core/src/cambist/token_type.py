"""The names of credential types: as standards, the two published pages and this project call them."""

from __future__ import annotations

IETF = "urn:ietf:params:oauth:token-type:"
OWN = "urn:cambist:token-type:"
STARFLY = "urn:starfly:token-type:"

JWT = f"{IETF}jwt"
ACCESS_TOKEN = f"{IETF}access_token"
ID_TOKEN = f"{IETF}id_token"
API_KEY = f"{OWN}api-key"
KUBERNETES_SA = f"{OWN}kubernetes-sa"

ALIASES = {
    f"{STARFLY}oidc": ID_TOKEN,
    f"{STARFLY}saml": f"{IETF}saml2",
    f"{STARFLY}kerberos": f"{OWN}kerberos-ap-req",
    f"{STARFLY}mtls": f"{OWN}x509-mtls",
    f"{STARFLY}gcp-wif": f"{OWN}gcp-identity-token",
    f"{STARFLY}azure-mi": f"{OWN}azure-managed-identity",
    f"{STARFLY}api-key": API_KEY,
    f"{STARFLY}agent-mcp": f"{OWN}mcp-access-token",
    f"{STARFLY}agent-a2a": f"{OWN}a2a-agent",
    f"{STARFLY}agent-passport": f"{OWN}agent-passport",
}
"""Other people's names; they resolve before anything is dispatched, and the ledger keeps both."""

PAGE = (
    JWT,
    f"{STARFLY}spiffe-svid",
    f"{STARFLY}oidc",
    f"{STARFLY}kerberos",
    f"{STARFLY}saml",
    f"{STARFLY}mtls",
    f"{STARFLY}aws-sts",
    f"{STARFLY}gcp-wif",
    f"{STARFLY}azure-mi",
    ACCESS_TOKEN,
    f"{STARFLY}api-key",
    f"{STARFLY}agent-mcp",
    f"{STARFLY}agent-a2a",
    f"{STARFLY}agent-passport",
)
"""The allowed values of `subject_token_type` on the page of the JSON dialect, in its order."""

KNOWN = frozenset({*PAGE, *ALIASES.values(), ID_TOKEN, KUBERNETES_SA, f"{IETF}saml1", f"{IETF}saml2", f"{IETF}refresh_token"})


_USUAL = {**{name: name for name in KNOWN}, **ALIASES}


def canonical(name: str) -> str:
    """The one name of a type. Types compare by exact string, but for the namespace of a URN (RFC 8141 section 3.1)."""
    if (usual := _USUAL.get(name)) is not None:
        return usual
    head, colon, rest = name.partition(":")
    namespace, second, tail = rest.partition(":")
    exact = f"{head.lower()}{colon}{namespace.lower()}{second}{tail}" if head.lower() == "urn" else name
    return ALIASES.get(exact, exact)
