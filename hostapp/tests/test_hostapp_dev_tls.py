"""`cambist dev --tls`: clients of all kinds trust it by the variable that it prints for them."""

from __future__ import annotations

import os
import re
import ssl
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from habits.parts import program
from habits.running import free_port, running
from habits.served import CAMBIST

from cambist.verify import TokenRefused, Verifier

EXPORT = re.compile(r"^export (\w+)='([^']+)'  # (.+)$", re.MULTILINE)
JAVA = """
import java.net.URI;
import java.net.http.*;
class Ask {
    public static void main(String[] args) throws Exception {
        var request = HttpRequest.newBuilder(URI.create(args[0])).build();
        System.out.println(HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString()).body());
    }
}
"""


@dataclass(frozen=True)
class Development:
    """`cambist dev --tls` at work, and what it printed."""

    url: str
    plain: str
    folder: Path
    printed: str

    @property
    def variables(self) -> dict[str, str]:
        return {name: value for name, value, _ in EXPORT.findall(self.printed)}


@pytest.fixture(scope="module")
def development(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Development]:
    folder = tmp_path_factory.mktemp("dev")
    plain, tls = free_port(), free_port()
    ports = ["--port", plain, "--tls-port", tls, "--issuer-port", free_port()]
    log = folder / "dev.log"
    with running([*CAMBIST, "dev", "--tls", *ports, "--folder", folder], f"http://localhost:{plain}/health", log) as process:
        while "Ctrl-C ends" not in log.read_text("utf-8"):
            assert process.poll() is None, log.read_text("utf-8")
        yield Development(f"https://localhost:{tls}", f"http://localhost:{plain}", folder, log.read_text("utf-8"))


def _asked(development: Development, variable: str | None, *command: object) -> subprocess.CompletedProcess[str]:
    """A client in a process of its own, whose environment has this one variable of those that were printed."""
    env = {name: value for name, value in os.environ.items() if name not in development.variables}
    if variable is not None:
        env[variable] = development.variables[variable]
    words = [str(word) for word in command]
    return subprocess.run(words, capture_output=True, text=True, timeout=90, check=False, env=env)


def _clients(url: str, folder: Path) -> dict[str, tuple[str, list[object]]]:
    health = f"{url}/health"
    source = folder / "Ask.java"
    source.write_text(JAVA)
    return {
        "httpx": ("SSL_CERT_FILE", [sys.executable, "-c", f"import httpx; print(httpx.get('{health}').text)"]),
        "curl": ("CURL_CA_BUNDLE", ["curl", "--silent", "--show-error", health]),
        "requests": ("REQUESTS_CA_BUNDLE", [sys.executable, "-c", f"import requests; print(requests.get('{health}').text)"]),
        "node": ("NODE_EXTRA_CA_CERTS", ["node", "-e", f"fetch('{health}').then(r => r.text()).then(console.log)"]),
        "java": ("JAVA_TOOL_OPTIONS", ["java", source, health]),
    }


@pytest.mark.parametrize("name", ["httpx", "curl", "requests", "node", "java"])
def test_a_client_trusts_it_by_its_variable_and_not_without(development: Development, tmp_path: Path, name: str) -> None:
    variable, (first, *rest) = _clients(development.url, tmp_path)[name]
    command = [program(name) if first == name else first, *rest]
    done = _asked(development, variable, *command)
    assert done.stdout.strip() == '{"status":"ok"}', done.stderr
    assert _asked(development, None, *command).returncode != 0


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
def test_the_first_exchange_works_as_it_is_printed(development: Development, name: str) -> None:
    (printed,) = re.findall(r"^curl --request POST.*?^  --data '[^']+'$", development.printed, re.MULTILINE | re.DOTALL)
    script = printed.replace("curl --request", f"{program('curl')} --silent --request").replace("https://localhost", f"https://{name}")
    done = _asked(development, None, "/bin/sh", "-c", script)
    assert '"access_token":' in done.stdout, done.stdout + done.stderr


async def test_a_verifier_finds_the_keys_of_a_service_whose_authority_it_trusts(development: Development) -> None:
    trust = ssl.create_default_context(cafile=development.variables["SSL_CERT_FILE"])
    issuer = re.findall(r'^issuer = "(.+)"$', (development.folder / "cambist.toml").read_text("utf-8"), re.MULTILINE)[0]
    assert issuer == development.url
    token = re.findall(r"^eyJ\S+$", development.printed, re.MULTILINE)[0]
    async with httpx.AsyncClient(verify=trust) as http:
        verifier = Verifier(issuer=issuer, audience="https://api.target.example.com", http=http)
        assert (await verifier.verify(token)).scope == {"read:data"}
        with pytest.raises(TokenRefused):
            await verifier.verify(token[:-4] + "AAAA")


def test_the_plain_port_takes_no_credential(development: Development) -> None:
    assert httpx.post(f"{development.plain}/v1/exchange/token", json={}, trust_env=False).status_code == 404


def test_a_folder_for_plain_http_is_not_turned_over(tmp_path: Path) -> None:
    (tmp_path / "cambist.toml").write_text('issuer = "http://localhost:8693"\n')
    command = [*CAMBIST, "dev", "--tls", "--once", "--folder", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 3
    assert "take another folder for --tls" in done.stderr
    assert "Traceback" not in done.stderr


def test_once_ends_by_itself_over_tls(tmp_path: Path) -> None:
    ports = [f"--{name}={free_port()}" for name in ("port", "tls-port", "issuer-port")]
    done = subprocess.run([*CAMBIST, "dev", "--tls", "--once", *ports], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "verifies with the published keys" in done.stdout
