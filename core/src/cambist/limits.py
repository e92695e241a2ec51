"""How much the service takes from strangers, and how long it waits for them."""

from __future__ import annotations

from .shape import Field, Shape


class Limits(Shape):
    """All of them hold for each worker. A rate that is absent is no limit."""

    max_head: int = Field(32_768, ge=1024, description="The longest request line and headers, in bytes.")
    max_headers: int = Field(100, ge=10, description="The most headers of one request.")
    head_timeout: float = Field(10.0, gt=0, description="How long request line and headers may take to arrive, in seconds.")
    keep_alive: float = Field(60.0, gt=0, description="How long a connection may stand idle, in seconds.")
    requests_per_connection: int = Field(10_000, gt=0, description="After how many requests a connection is closed.")
    answer_timeout: float = Field(60.0, gt=0, description="How long an answer may be worked on, in seconds; then the connection is cut.")
    write_timeout: float = Field(10.0, gt=0, description="How long a client may not read what is sent to it, in seconds.")
    connections: int | None = Field(None, gt=0, description="The most open connections; absent: what the process may open, less 256.")
    unread: int = Field(67_108_864, gt=0, description="Bytes of unfinished requests that are kept, over all connections.")
    in_progress: int = Field(512, gt=0, description="The most requests that are worked on at once; further ones are told 503.")
    lag: float = Field(0.5, gt=0, description="How late the event loop may be, in seconds, before requests are told 503.")
    address_rate: float | None = Field(None, gt=0, description="Requests a second from one address; more are told 429.")
    address_burst: int = Field(100, gt=0, description="Requests that one address may send at once, beyond its rate.")
    client_rate: float | None = Field(None, gt=0, description="Exchanges a second by one client id; more are told 429.")
    client_burst: int = Field(100, gt=0, description="Exchanges that one client id may ask for at once, beyond its rate.")
    failures: int = Field(
        30, ge=0, description="Wrong client secrets a minute, from one address or for one client id; then they are told 429 (0: no limit)."
    )
