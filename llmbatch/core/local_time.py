"""The user's time zone, with its daylight saving rules."""

import io
import os
import re
import struct
from datetime import UTC, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from llmbatch.core.errors import UsageError

_LOCALTIME = Path("/etc/localtime")
_RULE = re.compile(
    r"(?:[A-Za-z]{3,}|<[A-Za-z0-9+-]{3,}>)[+-]?\d{1,3}(?::\d{1,2}){0,2}(?P<summer>[A-Za-z]{3,}|<[A-Za-z0-9+-]{3,}>)?\S*",
    re.ASCII,
)
_UNSAID = ",M3.2.0,M11.1.0"
"""The dates of daylight saving time for rules that name one without dates, as in the C library."""


def local_zone() -> tzinfo:
    """The zone named by TZ, else the machine's; UTC if there is neither.

    TZ is read as in POSIX: a zone name (`Europe/Berlin`), a file, or a rule (`CET-1CEST,M3.5.0,M10.5.0/3`), each with
    an optional leading colon. The C library silently treats unknown names as UTC.

    Raises:
        UsageError: TZ does not name a zone.
    """
    name = os.environ.get("TZ")
    if name is None:
        return _from_file(_LOCALTIME) if _LOCALTIME.exists() else UTC
    zone = name.removeprefix(":")
    try:
        if not zone:
            return UTC
        return _from_file(Path(zone)) if zone.startswith("/") else _named(zone)
    except (OSError, ValueError, LookupError):
        raise UsageError(
            f"TZ {name[:40]!r} is not a time zone known to this machine",
            hint="set TZ to a zone such as Europe/Berlin, or give an offset: --deadline 06:30+01:00",
        ) from None


def _named(zone: str) -> ZoneInfo:
    try:
        return ZoneInfo(zone)
    except (OSError, ValueError, LookupError):
        rule = _RULE.fullmatch(zone)
        if rule is None:
            raise
        return _from_rule(f"{zone}{_UNSAID}" if rule["summer"] and "," not in zone else zone)


def _from_file(path: Path) -> ZoneInfo:
    with path.open("rb") as file:
        return ZoneInfo.from_file(file)


def _from_rule(rule: str) -> ZoneInfo:
    """A zone without history: a TZif file (RFC 9636) with content only in its footer."""
    header = b"TZif2" + bytes(15) + struct.pack(">6l", 0, 0, 0, 0, 1, 4)
    one_type = struct.pack(">lbb", 0, 0, 0) + b"UTC\0"
    return ZoneInfo.from_file(io.BytesIO(2 * (header + one_type) + b"\n" + rule.encode() + b"\n"))
