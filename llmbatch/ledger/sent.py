"""What was sent and may have been billed, known even after a kill.

Before a request leaves, one short line goes to `sent.log`: no fsync, since a killed process's writes survive it and
a power cut takes the request's answer along anyway. The first line states where the ledger ended when the session
began, so that only outcomes behind that offset count as answers to what follows.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from llmbatch.errors import StorageFailed


@dataclass(frozen=True, slots=True)
class Leftovers:
    """What the last session left: where the ledger ended when it began, when that was, and what it sent."""

    ledger_offset: int
    started_at: str
    sends: tuple["Sent", ...]

    def unsettled(self, settled_keys: set[str]) -> tuple["Sent", ...]:
        """The sends whose row got no outcome: in flight when the process was killed, possibly billed."""
        return tuple(sent for sent in self.sends if sent.key not in settled_keys)


@dataclass(frozen=True, slots=True)
class Sent:
    """A request that left: its row's key, which send of the row it was, and its cost at most, in nano-dollars."""

    key: str
    attempt: int
    reserved_nusd: int


class SentLog:
    """Append-only, one file a session; the next session reads what the last one left, then starts it anew."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd: int | None = None

    def leftovers(self) -> Leftovers | None:
        """What the last session left, or None where it ended in order. A torn last line is left out."""
        try:
            lines = self._path.read_bytes().split(b"\n")[:-1]
        except FileNotFoundError:
            return None
        records = [record for line in lines if (record := _loads(line)) is not None]
        if not records or "ledger_offset" not in records[0]:
            return None
        sends = tuple(Sent(r["key"], r["attempt"], r["reserved_nusd"]) for r in records[1:] if "key" in r)
        return Leftovers(records[0]["ledger_offset"], records[0]["started_at"], sends)

    def begin(self, ledger_offset: int, started_at: str) -> None:
        """Start a session's file anew."""
        self._fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        self._write({"ledger_offset": ledger_offset, "started_at": started_at})

    def record(self, sent: Sent) -> None:
        """Write down a request that is about to leave.

        Raises:
            StorageFailed: that cannot be kept, so the request must not leave.
        """
        self._write({"key": sent.key, "attempt": sent.attempt, "reserved_nusd": sent.reserved_nusd})

    def close(self, *, settled: bool) -> None:
        """End the session. `settled` tells that every send has its outcome in the ledger: the file can go."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
        if settled:
            self._path.unlink(missing_ok=True)

    def _write(self, record: dict[str, Any]) -> None:
        assert self._fd is not None, "begin() comes first"  # noqa: S101 - a programmer's mistake
        try:
            os.write(self._fd, orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))
        except OSError as error:
            raise StorageFailed(f"{self._path}: cannot write ({error.strerror})") from error


def _loads(line: bytes) -> dict[str, Any] | None:
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return record if isinstance(record, dict) else None
