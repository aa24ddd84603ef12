"""One request as recorded in the log of sent requests."""

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
    """A request that was sent: its row's key, which send of the row it was, and its maximum cost in nano-dollars."""

    key: str
    attempt: _Count
    at_most_nanousd: _Count
    """The amount reserved for it, or its cost once known."""
    ended: bool = False
    """Whether this line is the outcome rather than the send."""
    billed: bool = True
    """False once it is known that the request was not billed."""

    def ends(self, earlier: "Sent") -> bool:
        """Whether this line is the outcome of an earlier send of the same row."""
        return self.ended and self.attempt == earlier.attempt
