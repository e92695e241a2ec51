"""A real API server of Kubernetes for tests, over HTTPS: it issues service-account tokens, and reviews them."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from .https import authority
from .parts import absent, tools
from .running import free_port, running

NAMESPACE, ACCOUNT, POD, NODE = "shop", "checkout", "checkout-5d9c", "node-7"
REVIEWER = "cambist"
"""The account that may create TokenReviews, and nothing else."""
ADMIN = "the-token-of-a-tests-administrator"
START = 110.0
RBAC = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"


@dataclass(frozen=True)
class Cluster:
    """A running API server; its URL is the issuer of its tokens. `ca` is what its certificate is vouched for by."""

    url: str
    ca: Path
    http: httpx.Client = field(repr=False)

    @property
    def egress(self) -> str:
        """Settings with which it can be called."""
        return f'[egress]\nprivate = ["localhost"]\n[egress.authorities]\nlocalhost = "{self.ca}"\n'

    def token(self, *audience: str, pod: str | None = POD, account: str = ACCOUNT) -> str:
        """What the kubelet asks for when it projects a token into a pod; without audience, one for the API server itself."""
        spec: dict[str, Any] = {"audiences": list(audience), "expirationSeconds": 600}
        if pod is not None:
            spec["boundObjectRef"] = {"kind": "Pod", "apiVersion": "v1", "name": pod, "uid": self.uid("pods", pod)}
        path = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{account}/token"
        told = self._post(path, "TokenRequest", "authentication.k8s.io/v1", spec=spec)
        return str(told["status"]["token"])

    def uid(self, kind: str, name: str) -> str:
        return str(self._asked("GET", f"/api/v1/namespaces/{NAMESPACE}/{kind}/{name}")["metadata"]["uid"])

    def run_pod(self, name: str) -> None:
        """A pod that is scheduled, though no kubelet will ever start it."""
        spec = {"serviceAccountName": ACCOUNT, "nodeName": NODE, "containers": [{"name": "main", "image": "example.test/none"}]}
        self._post(f"/api/v1/namespaces/{NAMESPACE}/pods", "Pod", "v1", metadata={"name": name}, spec=spec)

    def delete_pod(self, name: str) -> None:
        """At once, for nobody has to end it first."""
        self._asked("DELETE", f"/api/v1/namespaces/{NAMESPACE}/pods/{name}", gracePeriodSeconds=0, kind="DeleteOptions", apiVersion="v1")

    def _post(self, path: str, kind: str, version: str, **members: Any) -> dict[str, Any]:
        return self._asked("POST", path, kind=kind, apiVersion=version, **members)

    def _asked(self, method: str, path: str, **members: Any) -> dict[str, Any]:
        answer = self.http.request(method, path, json=members or None)
        if answer.is_error:
            raise AssertionError(f"{method} {path}: {answer.status_code} {answer.text}")
        return dict(answer.json())

    def populate(self) -> None:
        """A pod of an account on a node, and an account that may review tokens."""
        account = {"automountServiceAccountToken": False}
        self._post("/api/v1/namespaces", "Namespace", "v1", metadata={"name": NAMESPACE})
        for name in (ACCOUNT, REVIEWER):
            self._post(f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts", "ServiceAccount", "v1", metadata={"name": name}, **account)
        self._post("/api/v1/nodes", "Node", "v1", metadata={"name": NODE})
        self.run_pod(POD)
        reviewer = {"kind": "ServiceAccount", "name": REVIEWER, "namespace": NAMESPACE}
        anybody = {"kind": "Group", "name": "system:unauthenticated", "apiGroup": "rbac.authorization.k8s.io"}
        for role, subject in (("system:auth-delegator", reviewer), ("system:service-account-issuer-discovery", anybody)):
            reference = {"kind": "ClusterRole", "name": role, "apiGroup": "rbac.authorization.k8s.io"}
            binding = {"metadata": {"name": f"cambist:{role}"}, "roleRef": reference, "subjects": [subject]}
            self._post(RBAC, "ClusterRoleBinding", "rbac.authorization.k8s.io/v1", **binding)


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """Start etcd and an API server. Skips or fails the test where they are absent."""
    programs = tools() / "kubernetes"
    if not (programs / "kube-apiserver").is_file():
        absent("kube-apiserver")
    with ExitStack() as stack:
        store, peers, port = (free_port() for _ in range(3))
        etcd = [programs / "etcd", "--data-dir", folder / "etcd", "--unsafe-no-fsync", "--log-level=error"]
        etcd += [f"--{kind}-client-urls=http://127.0.0.1:{store}" for kind in ("listen", "advertise")]
        etcd += [f"--listen-peer-urls=http://127.0.0.1:{peers}"]
        stack.enter_context(running(etcd, f"http://127.0.0.1:{store}/health", folder / "etcd.log", patience=START))
        ca, _ = authority(folder)
        url = f"https://localhost:{port}"
        command = _api_server(programs / "kube-apiserver", folder, url, store)
        stack.enter_context(running(command, f"{url}/readyz", folder / "apiserver.log", patience=START, ca=ca))
        trust, known = ssl.create_default_context(cafile=ca), {"authorization": f"Bearer {ADMIN}"}
        http = stack.enter_context(httpx.Client(base_url=url, verify=trust, trust_env=False, timeout=30, headers=known))
        found = Cluster(url, ca, http)
        found.populate()
        yield found


def _api_server(program: Path, folder: Path, url: str, store: int) -> list[object]:
    """One that issues for itself, authorises by RBAC, and knows its administrator by a token in a file."""
    key = rsa.generate_private_key(65537, 2048)
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    (folder / "sa.key").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    (folder / "tokens.csv").write_text(f'{ADMIN},admin,1,"system:masters"\n')
    options: dict[str, object] = {
        "etcd-servers": f"http://127.0.0.1:{store}",
        "bind-address": "127.0.0.1",
        "secure-port": url.rpartition(":")[2],
        "tls-cert-file": folder / "server.pem",
        "tls-private-key-file": folder / "server.pem",
        "cert-dir": folder,
        "token-auth-file": folder / "tokens.csv",
        "authorization-mode": "RBAC",
        "service-account-issuer": url,
        "service-account-jwks-uri": f"{url}/openid/v1/jwks",
        "service-account-signing-key-file": folder / "sa.key",
        "service-account-key-file": folder / "sa.key",
        "api-audiences": url,
        "service-cluster-ip-range": "10.0.0.0/24",
        "v": 0,
    }
    return [program, *(f"--{name}={value}" for name, value in options.items())]
