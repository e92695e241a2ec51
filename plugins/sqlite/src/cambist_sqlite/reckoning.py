"""What time it is at least, as all processes of the file know it: one that begins while the clock is ahead must not believe it."""

from __future__ import annotations

import sqlite3

from cambist.clock import Clock, Reckoning

from .transaction import writing

_READ = "SELECT now, at, ahead, since FROM reckoning"
_BEGIN = "INSERT INTO reckoning (now, at, ahead, since) VALUES (?, ?, ?, ?)"
_GO_ON = "UPDATE reckoning SET now = ?, at = ?, ahead = ?, since = ?"


def reckon(connection: sqlite3.Connection, *, clock: Clock, passed: Clock) -> float:
    """Carry the reckoning on to this moment, and keep it; returns what time it is at least. Raises sqlite3.Error."""
    with writing(connection):  # the clocks are read inside: those who wait for each other must not write an older moment over a newer
        row = connection.execute(_READ).fetchone()
        if row is None:
            found = Reckoning(now=clock(), at=passed())
        else:
            found = Reckoning(now=row[0], at=row[1], ahead=row[2], since=row[3]).later(clock(), passed())
        connection.execute(_BEGIN if row is None else _GO_ON, (found.now, found.at, found.ahead, found.since))
    return found.now
