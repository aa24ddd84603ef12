"""One request as the log of what was sent has it."""

from typing import Annotated

from msgspec import Meta, Struct

from llmbatch.core.checksum import FORMAT

_Count = Annotated[int, Meta(ge=0)]


class Sent(
    Struct,
    frozen=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    tag_field="format",
    tag=FORMAT,
    rename={"at_most_nanousd": "at_most_nusd"},
):
    """A request that left: its row's key, which send of the row it was, and its cost at most, in nano-dollars."""

    key: str
    attempt: _Count
    at_most_nanousd: _Count
    """What was set aside for it; what it cost, once that is known."""
    ended: bool = False
    """Whether this line is the outcome, instead of the send."""
    billed: bool = True
    """False once it is known that it was not."""

    def ends(self, earlier: "Sent") -> bool:
        """Whether this line is the outcome of that one, of the same row."""
        return self.ended and self.attempt == earlier.attempt
