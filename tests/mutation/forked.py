"""Work in a child of this process, which dies with all that it started."""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn

Tell = Callable[[Any], NoReturn]


def forked(work: Callable[[Tell], object], limit: float) -> Any:
    """What the child tells, or None when it tells nothing within the limit."""
    source, target = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(source)
        _alone(work, target)
    os.close(target)
    told = _read(source, time.monotonic() + limit)
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    with suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)  # it may not have come as far as to lead a group
    os.waitpid(child, 0)
    return json.loads(told) if told else None


def _alone(work: Callable[[Tell], object], target: int) -> NoReturn:
    def tell(value: Any) -> NoReturn:
        with os.fdopen(target, "wb") as pipe:
            pipe.write(json.dumps(value).encode())
        os._exit(0)

    try:
        os.setsid()
        work(tell)
    except BaseException:
        traceback.print_exc(file=sys.__stderr__)
    finally:
        os._exit(1)


def _read(source: int, deadline: float) -> bytes:
    told = b""
    with os.fdopen(source, "rb", buffering=0) as pipe:
        while (left := deadline - time.monotonic()) > 0 and select.select([pipe], [], [], left)[0]:
            if not (part := pipe.read(65_536)):
                return told
            told += part
    return b""
