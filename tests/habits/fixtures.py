"""A pytest plugin: each real part is a fixture of its name, for the tests of every distribution."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from . import clouds, kubernetes, oidc
from . import keycloak as keycloaks
from .clouds import Workload
from .keycloak import Keycloak
from .kubernetes import Cluster
from .oidc import OidcProvider, OidcProviderMock
from .parts import program


@pytest.fixture(scope="session")
def opa() -> Path:
    """The program `opa`."""
    return program("opa")


@pytest.fixture(scope="session")
def curl() -> Path:
    """The program `curl`."""
    return program("curl")


@pytest.fixture(scope="session")
def nginx() -> Path:
    """The program `nginx`."""
    return program("nginx")


@pytest.fixture(scope="session")
def systemd_analyze() -> Path:
    """The program `systemd-analyze`."""
    return program("systemd-analyze")


@pytest.fixture(scope="session")
def oidc_provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OidcProvider]:
    """npm's oidc-provider, running: `issuer`, and `token(resource, scope)`."""
    with oidc.oidc_provider(tmp_path_factory.mktemp("oidc-provider") / "log") as provider:
        yield provider


@pytest.fixture(scope="session")
def oidc_provider_mock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OidcProviderMock]:
    """PyPI's oidc-provider-mock, running: `issuer`, and `id_token(audience, subject, **claims)`."""
    with oidc.oidc_provider_mock(tmp_path_factory.mktemp("oidc-provider-mock") / "log") as provider:
        yield provider


@pytest.fixture(scope="session")
def keycloak(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keycloak]:
    """Keycloak, running, which takes long: its tests are one xdist_group("keycloak"), so that it is started once."""
    with keycloaks.keycloak(tmp_path_factory.mktemp("keycloak") / "log") as running:
        yield running


@pytest.fixture(scope="session")
def kube_apiserver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Kubernetes' own API server, running: `url`, which is its issuer, `token(audience)`, pods that come and go."""
    with kubernetes.cluster(tmp_path_factory.mktemp("kube-apiserver")) as running:
        yield running


@pytest.fixture(scope="session")
def google_auth() -> Iterator[Workload]:
    """PyPI's google-auth, on a machine whose metadata server is ours: `says(script)`, `cloud`."""
    with clouds.cloud() as served:
        yield clouds.google_auth(served)


@pytest.fixture(scope="session")
def azure_identity() -> Iterator[Workload]:
    """PyPI's azure-identity, on a machine whose metadata server is ours: `says(script)`, `cloud`."""
    with clouds.cloud() as served:
        yield clouds.azure_identity(served)
