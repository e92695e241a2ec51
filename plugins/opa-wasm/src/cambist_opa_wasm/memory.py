"""The memory of an instance, seen from outside: nothing is read or written beyond its end."""

from __future__ import annotations

import ctypes

from wasmtime import Limits, Memory, MemoryType, Store, WasmtimeError

from cambist import Unavailable

PAGE = 65_536
MAX_TEXT = 256 * 1024
"""The longest text that is read out of a module, in bytes."""
_CHUNK = 1024


class LinearMemory:
    """Owned by the host and lent to the module, so that its size is ours to limit. `least` and `most` are in pages of 64 KiB."""

    def __init__(self, store: Store, least: int, most: int) -> None:
        self._store = store
        self.lent = Memory(store, MemoryType(Limits(least, most)))
        self._known = 0

    def write(self, address: int, content: bytes) -> None:
        """Raises Unavailable where the memory that is allowed does not hold it."""
        end = address + len(content)
        if not self._reaches(end):
            missing = end - self._known
            try:
                self.lent.grow(self._store, -(-missing // PAGE))
            except WasmtimeError as error:
                raise Unavailable(what="the policy", cause=f"{len(content)} bytes do not fit into its memory") from error
        ctypes.memmove(self._at(address), content, len(content))

    def text(self, address: int) -> bytes:
        """A text that ends in a zero byte. Raises Unavailable.

        Behind the end of memory nothing is mapped: reading one byte more would end the process.
        """
        if not address > 0 or not self._reaches(address + 1):
            raise Unavailable(what="the policy", cause=f"its answer lies at {address}, outside its memory")
        for most in (_CHUNK, MAX_TEXT):
            length = most if self._reaches(address + most) else self._known - address
            text = ctypes.string_at(self._at(address), length)
            if (end := text.find(0)) >= 0:
                return text[:end]
        raise Unavailable(what="the policy", cause=f"its answer does not end, or is longer than {MAX_TEXT} bytes")

    def _reaches(self, end: int) -> bool:
        """Whether there is memory up to there. It never becomes less, so its size is only asked when more than was known is needed."""
        if end > self._known:
            self._known = self.lent.data_len(self._store)
        return end <= self._known

    def _at(self, address: int) -> int:
        # Asked each time: memory may move when it grows.
        return ctypes.addressof(self.lent.data_ptr(self._store).contents) + address
