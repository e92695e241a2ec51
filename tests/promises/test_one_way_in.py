"""One pipeline: every route that can mint tells the story of exchange.py, and nothing else signs."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from habits.workspace import ROOT

from cambist.exchange import exchange
from cambist.testing import ISSUER, Running
from cambist.token_type import JWT
from cambist.web import endpoints as table
from cambist.web.app import METHODS, create, routed
from cambist.web.metrics import Metrics
from cambist.zone import TOKEN_EXCHANGE

from .stage import API, FORGE, staged

CORE = ROOT / "core" / "src" / "cambist"
NOT_SERVED = ("testing", "verify", "client")
"""The kit has keys of its own, and what others import for an API or an application holds none: nobody serves them."""


def bodies() -> list[tuple[str, dict[str, Any]]]:
    """A good request, in each way in which one could be sent."""
    members = {"grant_type": TOKEN_EXCHANGE, "subject_token": FORGE.jwt(), "subject_token_type": JWT, "audience": API}
    return [("json", {"json": members}), ("form", {"data": members}), ("query", {"params": members})]


async def minting(http: httpx.AsyncClient, paths: list[str]) -> set[str]:
    """Of these paths, those that answered some method and some body with a token."""
    found = set()
    for path in paths:
        for method in METHODS:
            for _, body in bodies():
                answer = await http.request(method, path, **body)
                found |= {path} if "eyJ" in answer.text and "access_token" in answer.text else set()
    return found


def routes(running: Running) -> list[str]:
    """Every route of the app; one with a variable in it, with something in its place."""
    app = routed(running.sts, table.endpoints(running.sts, Metrics()))
    return [str(rule.rule).replace("<", "").replace(">", "") for rule in app.url_map.iter_rules()]


async def test_what_is_routed_is_the_table_of_endpoints_and_no_more() -> None:
    async with staged() as running:
        assert sorted(routes(running)) == sorted(table.endpoints(running.sts, Metrics()))


async def test_every_route_that_mints_tells_the_story(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is sent wherever, by any method: a token comes only from an endpoint that `exchanging` made, and each by one exchange."""
    made, told = set(), []
    build: Callable[..., table.Endpoint] = table.exchanging

    def exchanging(*arguments: Any) -> table.Endpoint:
        endpoint = build(*arguments)
        made.add(endpoint)
        return endpoint

    async def telling(*arguments: Any, **more: Any) -> Any:
        token = await exchange(*arguments, **more)
        told.append(token.decision_id)
        return token

    monkeypatch.setattr(table, "exchanging", exchanging)
    monkeypatch.setattr(table, "exchange", telling)
    async with staged(accept=["json", "form"]) as running:
        may = {path for path, endpoint in table.endpoints(running.sts, Metrics()).items() if endpoint in made}
        assert await minting(running.http, routes(running)) == may == {"/oauth/2/token", "/v1/exchange/token"}
        permitted = [record.decision_id for record in running.records if record.outcome == "permitted"]
        assert sorted(told) == sorted(permitted)
        assert permitted


async def test_no_other_path_mints() -> None:
    """Neighbours of the routes: Quart or an ASGI server may see other paths than we do."""
    async with staged() as running:
        known = routes(running)
        near = [f"{path}/" for path in known] + [f"/{path}" for path in known] + [path.upper() for path in known] + ["/", "/internal/x"]
        assert await minting(running.http, near) == set()


# ── and in the source ───────────────────────────────────────────────────────────────────────────────────


def sources() -> Iterator[tuple[str, ast.Module]]:
    for file in sorted(CORE.rglob("*.py")):
        name = file.relative_to(CORE).as_posix()
        if not name.startswith(NOT_SERVED):
            yield name, ast.parse(file.read_text("utf-8"))


def called(tree: ast.AST, name: str) -> bool:
    """Whether a function or method of this name is called, or handed on, in a tree; a variable of its own is none."""
    nodes = list(ast.walk(tree))
    names = [node for node in nodes if isinstance(node, ast.Name) and node.id == name]
    if any(isinstance(node.ctx, ast.Store) for node in names) or any(isinstance(node, ast.arg) and node.arg == name for node in nodes):
        names = []
    return bool(names) or any(isinstance(node, ast.Attribute) and node.attr == name for node in nodes)


def where(name: str) -> set[str]:
    """Each function of core in which it is, as `file: class.function`."""
    return {f"{file}: {path}" for file, tree in sources() for path, node in functions(tree) if called(node, name)}


def functions(tree: ast.Module | ast.ClassDef, prefix: str = "") -> Iterator[tuple[str, ast.AST]]:
    """The outermost functions, methods by their classes, and what stands outside of all."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            yield from functions(node, f"{prefix}{node.name}.")
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{prefix}{node.name}", node
        elif not isinstance(node, ast.Import | ast.ImportFrom):
            yield f"{prefix}<module>", node


ONLY = {
    "sign": {"token.py: mint", "kept.py: _KeptKey.sign", "keys.py: EphemeralKey.sign"},  # the keys sign as they are told, by mint alone
    "mint": {"exchange.py: fulfil"},
    "fulfil": {"exchange.py: exchange"},
    "consider": {"exchange.py: exchange"},
    "draft": {"exchange.py: fulfil"},
    "spend": {"exchange.py: fulfil"},
    "signing": {"exchange.py: fulfil", "kept.py: KeptKeys.signing"},
    "exchange": {"web/endpoints.py: exchanging"},
    "exchanging": {"web/endpoints.py: of_zone"},
    "narrowest": {"exchange.py: consider"},
}
"""Each step of the story, and the only functions in which it is."""


@pytest.mark.parametrize("step", ONLY)
def test_each_step_of_the_story_is_taken_in_one_place(step: str) -> None:
    assert where(step) == ONLY[step]


@pytest.mark.parametrize("folder", ["hostapp/src", "plugins", "plugins-contrib"])
def test_nothing_outside_core_takes_a_step_of_the_story_by_itself(folder: str) -> None:
    steps = ("draft", "mint", "fulfil", "spend", "narrowest")
    taken = [f"{file}: {step}" for file in _shipped(ROOT / folder) for step in steps if called(ast.parse(file.read_text("utf-8")), step)]
    assert taken == []


def _shipped(folder: Path) -> Iterator[Path]:
    return (file for file in folder.rglob("*.py") if "tests" not in file.parts)


async def test_a_listener_that_is_given_no_way_in_has_none() -> None:
    """Plain HTTP beside TLS serves health and keys: its app mints for nobody."""
    async with staged() as running:
        app = httpx.ASGITransport(app=create(running.sts, Metrics(), only=frozenset({"/health", "/.well-known/jwks.json"})))
        async with httpx.AsyncClient(transport=app, base_url=ISSUER) as http:
            assert await minting(http, routes(running)) == set()
            assert (await http.get("/health")).status_code == 200
        assert running.records == []
