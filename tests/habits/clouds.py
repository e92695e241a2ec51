"""Metadata servers of two clouds on this machine, in their exact shapes, and the own libraries of Google and Azure as clients."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from cambist.testing import EntraForge, GoogleForge

GCE = "/computeMetadata/v1/instance/service-accounts/default"
HEADER = "the secret of an app service"


@dataclass(frozen=True)
class Cloud:
    """A machine's view of its cloud at `url`: what signs for Google, for an account of it, and for a tenant of Entra."""

    url: str
    google: GoogleForge = field(default_factory=lambda: GoogleForge("", time.time))
    account: GoogleForge = field(default_factory=lambda: GoogleForge("", time.time, kid="own-1"))
    entra: EntraForge = field(default_factory=lambda: EntraForge("", time.time))

    @property
    def key_file(self) -> dict[str, str]:
        """The key of the account, as Google hands it out."""
        pem = self.account.key.as_pem(private=True).decode()
        names = {"type": "service_account", "client_email": self.account.email, "client_id": self.account.account}
        return {**names, "private_key_id": self.account.kid, "private_key": pem, "token_uri": "https://oauth2.googleapis.com/token"}

    def answer(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> tuple[int, str]:
        """Status and body, as the real ones give them."""
        keys = {"/certs": self.google.jwks, "/account": self.account.jwks, "/tenant": self.entra.jwks}
        if path in keys:
            return 200, json.dumps(keys[path])
        if path.startswith("/metadata/identity") or path == "/msi/token":
            return self._azure(path, query["resource"], headers)
        return self._gce(path, query) if headers.get("metadata-flavor") == "Google" or path == "/" else (403, "Missing Metadata-Flavor")

    def _gce(self, path: str, query: Mapping[str, str]) -> tuple[int, str]:
        if path == f"{GCE}/identity":
            token = self.google.jwt if query.get("format") == "full" else self.google.standard
            return 200, token(aud=query["audience"])
        if path == f"{GCE}/token":
            return 200, json.dumps({"access_token": "ya29.c.c0AYnqXlhB7f-pVq5mCw", "expires_in": 3599, "token_type": "Bearer"})
        return 200, json.dumps({"aliases": ["default"], "email": self.google.email, "scopes": []})

    def _azure(self, path: str, resource: str, headers: Mapping[str, str]) -> tuple[int, str]:
        proved = headers.get("x-identity-header") == HEADER if path == "/msi/token" else headers.get("metadata") == "true"
        if not proved:
            return 400, json.dumps({"error": "invalid_request", "error_description": "Required metadata header not specified"})
        now = int(time.time())
        times = {"expires_in": "86399", "expires_on": str(now + 86_399), "ext_expires_in": "86399", "not_before": str(now - 300)}
        told = {"client_id": self.entra.application, "resource": resource, "token_type": "Bearer", **times}
        return 200, json.dumps({"access_token": self.entra.jwt(aud=resource), **told})


@contextmanager
def cloud() -> Iterator[Cloud]:
    """Serve the metadata of a machine until the block ends."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Asked) as server:
        served = Cloud(f"http://127.0.0.1:{server.server_port}")
        _Asked.clouds[server.server_port] = served
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield served
        finally:
            server.shutdown()
            thread.join()
            del _Asked.clouds[server.server_port]


class _Asked(BaseHTTPRequestHandler):
    """One request to the metadata server at a port."""

    clouds: ClassVar[dict[int, Cloud]] = {}

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        _, port = self.connection.getsockname()
        status, body = self.clouds[port].answer(url.path, query, {name.lower(): value for name, value in self.headers.items()})
        self.send_response(status)
        self.send_header("Metadata-Flavor", "Google")
        self.send_header("Content-Type", "application/json" if body.startswith("{") else "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@dataclass(frozen=True)
class Workload:
    """Runs Python that uses a cloud's own library, as a process on a machine of that cloud."""

    cloud: Cloud
    env: Mapping[str, str] = field(repr=False)

    def says(self, script: str, **env: str) -> str:
        """What a script printed. Fails with what it wrote when it fails."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "GOOGLE", "GCE", "AZURE", "IDENTITY"))}
        command = [sys.executable, "-W", "ignore", "-c", script]
        ran = subprocess.run(command, env={**clean, **self.env, **env}, capture_output=True, text=True, timeout=60, check=False)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.removesuffix("\n")


def google_auth(served: Cloud) -> Workload:
    """google-auth on a machine of Google Cloud."""
    place = served.url.removeprefix("http://")
    return Workload(served, {"GCE_METADATA_HOST": place, "GCE_METADATA_IP": place})


def azure_identity(served: Cloud) -> Workload:
    """azure-identity on a virtual machine of Azure."""
    return Workload(served, {"AZURE_POD_IDENTITY_AUTHORITY_HOST": served.url})


def app_service(served: Cloud) -> Mapping[str, str]:
    """What azure-identity finds in the environment of an app service."""
    return {"IDENTITY_ENDPOINT": f"{served.url}/msi/token", "IDENTITY_HEADER": HEADER}
