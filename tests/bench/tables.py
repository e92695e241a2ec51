"""What a run of `make bench` says on the page: ratios, which another machine may have too, before times, which it will not."""

from __future__ import annotations

from collections.abc import Mapping

from . import budget, growth, share
from .page import put

Figures = Mapping[str, float]

RATIOS: Mapping[str, str] = {
    "pipeline.es256": "without HTTP; ES256 in and out, a token that was seen before",
    "pipeline.es256_new": "the same, a new token each time",
    "pipeline.rs256_in": "RS256 in",
    "pipeline.rs256_out": "RS256 out",
    "pipeline.execution_scope": "with an execution scope, so that a nonce is spent",
    "pipeline.oidc": "an ID token",
    "pipeline.access-token": "an access token",
    "pipeline.opa_rest": "the policy asked of an OPA server; its CPU is not counted",
    "pipeline.refusal": "refused by policy",
    "pipeline.malformed": "malformed",
    "http.uvicorn.1.es256": "over HTTP, Uvicorn, one worker, 64 connections",
    "http.uvicorn.2.es256": "over HTTP, Uvicorn, two workers",
    "http.hypercorn.1.es256": "over HTTP, Hypercorn, one worker",
    "http.hypercorn.2.es256": "over HTTP, Hypercorn, two workers",
    "http.uvicorn.2.refusal": "refused by policy, over HTTP, Uvicorn, two workers",
    "http.uvicorn.2.malformed": "malformed, over HTTP, Uvicorn, two workers",
}
SERVED: Mapping[str, str] = {
    "http.uvicorn.2.es256": "Cambist on Uvicorn",
    "http.hypercorn.2.es256": "Cambist on Hypercorn",
    "oidc_provider.2": "oidc-provider",
}


def written(figures: Figures, ratios: Figures) -> None:
    """Everything that was measured, each at its place of the page."""
    if "pipeline.es256" in figures:
        put("budget", budget.told(figures))
    if "pipeline.es256" in figures and "http.uvicorn.2.es256.c64.cpu" in figures:
        put("ratios", over_the_floor(ratios))
        put("http", over_http(figures))
    if "share.uvicorn.median" in figures:
        share.written(figures)
    if "growth.issuers.bytes" in figures:
        growth.written(figures)


def over_the_floor(ratios: Figures) -> str:
    lines = ["| what is asked | CPU over the floor |", "|---|--:|"]
    return "\n".join([*lines, *(f"| {said} | {ratios[name]:.2f} |" for name, said in RATIOS.items() if name in ratios)])


def over_http(figures: Figures) -> str:
    """Two processes each, by connections."""
    most = max(figures[f"{name}.c64.rate"] for name in SERVED if f"{name}.c64.rate" in figures)
    lines = [
        "| two processes | connections | rate, of the highest | p50 ms | p99 ms | MB for each process |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for name, said in SERVED.items():
        for connections in (1, 8, 64):
            at = f"{name}.c{connections}"
            if f"{at}.rate" in figures:
                rate, p50, p99 = (figures[f"{at}.{figure}"] for figure in ("rate", "p50", "p99"))
                lines.append(f"| {said} | {connections} | {rate / most:.2f} | {p50:.2f} | {p99:.2f} | {figures[f'{name}.pss'] / 1e6:.0f} |")
    starts = " and ".join(f"{figures[f'http.{server}.2.start']:.2f} s on {server.title()}" for server in ("uvicorn", "hypercorn"))
    return "\n".join([*lines, "", f"From start to when all workers are open: {starts}."])
