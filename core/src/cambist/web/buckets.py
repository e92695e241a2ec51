"""Token buckets by key: how often something may happen, in bounded memory."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass

MOST = 16_384
"""Keys that are remembered; the one that was not seen for longest is forgotten first."""


@dataclass(slots=True)
class Bucket:
    """What is left of a burst, as of a moment."""

    left: float
    at: float


class Buckets:
    """Each key may take `burst` at once, and `rate` a second for ever. A rate of 0 is no limit."""

    def __init__(self, rate: float, burst: float, *, most: int = MOST, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._most, self._clock = rate, burst, most, clock
        self._buckets: OrderedDict[Hashable, Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def wait(self, key: Hashable) -> float:
        """Seconds until something may be taken; 0 when it may be now. Nothing is taken."""
        if not self._rate or key not in self._buckets:
            return 0.0
        return max(0.0, (1.0 - self._filled(key).left) / self._rate)

    def take(self, key: Hashable) -> float:
        """Take one, if it may be taken; else the seconds to wait, and nothing is taken: who insists does not wait longer."""
        if not self._rate:
            return 0.0
        bucket = self._filled(key)
        if bucket.left < 1.0:
            return max(math.ulp(1.0), (1.0 - bucket.left) / self._rate)
        bucket.left -= 1.0
        return 0.0

    def _filled(self, key: Hashable) -> Bucket:
        now = self._clock()
        bucket = self._buckets.setdefault(key, Bucket(self._burst, now))
        bucket.left, bucket.at = min(self._burst, bucket.left + (now - bucket.at) * self._rate), now
        self._buckets.move_to_end(key)
        if len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        return bucket
