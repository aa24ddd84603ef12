"""One line of the log of decisions: a text's decision, and who made it."""

import hashlib
from dataclasses import asdict, dataclass
from typing import Annotated

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config

from llmbatch.core.checksum import FORMAT, HEAD, is_unsealed, seal, unseal
from llmbatch.core.jsonlines import dump_line
from llmbatch.core.key_index import short
from llmbatch.core.rows import RowId

_Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
_STRICT = ConfigDict(extra="forbid")


@with_config(_STRICT)
@dataclass(frozen=True, slots=True)
class Standing:
    """Another reviewer's decision, which differs and was not known when the line was written."""

    category: str
    reviewer: str
    decided_at: str


@with_config(_STRICT)
@dataclass(frozen=True, slots=True)
class Decision:
    """The state of a text; its latest line counts. For the fields see docs/reference/formats.md."""

    key: _Digest
    """The row's key in the ledger, with the prompt and model of the answer that the reviewer saw."""
    text: _Digest
    """Digest of the text alone, which the decision is about: rows with the same text share the decision."""
    row: Annotated[int, Field(ge=0)]
    id: RowId
    category: str | None
    """The label; None if the row is undecided (again), for example with only a note."""
    reviewer: str
    decided_at: str
    """UTC, RFC 3339."""
    note: str | None = None
    reason: str | None = None
    """Why the row was reviewed: `low_confidence`, `failed`, `sample`, `conflict`, `chosen`, `import`."""
    model_category: str | None = None
    """The model's answer at that time; None if the row had failed."""
    model_confidence: Annotated[float, Field(ge=0, le=1)] | None = None
    against: tuple[Standing, ...] = ()
    """Other reviewers' decisions that differ: a conflict, until someone who has seen them all decides."""

    @property
    def is_settled(self) -> bool:
        """Whether it counts as the row's label."""
        return self.category is not None and not self.against

    @property
    def is_conflict(self) -> bool:
        """Whether reviewers disagree."""
        return bool(self.against)

    @property
    def standings(self) -> tuple[Standing, ...]:
        """All current decisions: one, or those that differ."""
        if self.category is None:
            return self.against
        return (Standing(self.category, self.reviewer, self.decided_at), *self.against)

    @property
    def short_text(self) -> int:
        """The first 64 bits of the text's digest, for flat indexes."""
        return short(self.text)

    def to_bytes(self) -> bytes:
        """The line for the file, sealed, newline included."""
        return seal(dump_line({"format": FORMAT, **asdict(self)}).rstrip(b"\n"))

    @classmethod
    def from_bytes(cls, raw: bytes) -> "Decision":
        """Read a line that this version or an earlier one wrote.

        Raises:
            ValueError: it is not a line of this log; the message says why.
        """
        return cls.from_record(raw if is_unsealed(raw) else unseal(raw))

    @classmethod
    def from_record(cls, record: bytes) -> "Decision":
        """The decision of a line whose seal has been removed.

        Raises:
            ValueError: it is not one; the message says why.
        """
        try:
            return _DECISIONS.validate_json(b"{" + record[len(HEAD) :] if record.startswith(HEAD) else record)
        except ValidationError as error:
            problem = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, problem["loc"]))
            raise ValueError(f"{where}: {problem['msg']}" if where else problem["msg"]) from None


_DECISIONS = TypeAdapter(Decision)


def text_digest(text: str) -> str:
    """A text's digest, which depends only on the text."""
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).hexdigest()
