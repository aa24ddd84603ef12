"""What every event is: a stable name and fields for machines, a sentence for people."""

from enum import StrEnum
from typing import Any, ClassVar

from msgspec import Struct
from msgspec.structs import asdict

from llmbatch.core.money import NANO


class Level(StrEnum):
    """How much an event matters."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Event(Struct, frozen=True, gc=False):
    """One thing that happened. Its fields are what machines get; names and fields are kept stable."""

    name: ClassVar[str]
    level: ClassVar[Level] = Level.INFO
    is_detail: ClassVar[bool] = False
    """Screens show it only with `--verbose`; logs always have it."""

    template: ClassVar[str]
    """The sentence for people, with fields' names in braces; an event with more to say has a `message` of its own."""

    @property
    def message(self) -> str:
        """A sentence of plain text, for logs too: documents' texts are not in it."""
        return self.template.format_map(asdict(self))

    @property
    def shown(self) -> str:
        """The message as the user's own screen shows it."""
        return self.message

    def fields(self) -> dict[str, Any]:
        """The event's own fields as JSON values, money in US dollars."""
        return asdict(self)


def dollars(nanousd: float) -> str:
    """Nano-dollars as people read them."""
    usd = nanousd / NANO
    return f"${usd:,.2f}" if usd >= 1 else f"${usd:.3g}"


def time_span(seconds: float) -> str:
    """Seconds in the unit that says most."""
    minutes = seconds / 60
    if minutes < 2:  # noqa: PLR2004 - from two of a unit on, it is the better one
        return f"{seconds:,.0f} s"
    return f"{minutes:,.0f} min" if minutes < 120 else f"{minutes / 60:,.1f} h"  # noqa: PLR2004
