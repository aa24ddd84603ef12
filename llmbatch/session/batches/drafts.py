"""Turns pending rows into parts: request files within the provider's limits and the budget."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

from llmbatch.core.key_index import KeyIndex, short
from llmbatch.engine.attempt import LIKE_OURS
from llmbatch.engine.intake import Document
from llmbatch.provider.shape import RequestShape
from llmbatch.runs.batches.files import PartDraft, PartFiles, PartRow, drafted, request_line
from llmbatch.session.batches.arms import BatchArm
from llmbatch.tokens import count_tokens

_FRAME_TOKENS = 64
"""Tokens around the messages and the document, which are counted without them."""


@dataclass(frozen=True, slots=True)
class PartLimits:
    """Limits of the next part. None is no limit."""

    rows: int
    bytes: int
    tokens: int | None
    nanousd: int | None


@dataclass(frozen=True, slots=True)
class _Request:
    row: PartRow
    line: bytes
    tokens: int


class Drafts:
    """Makes parts from documents, in order. Blocks: counting tokens takes a second per megabyte."""

    def __init__(self, documents: Iterator[Document], arm: BatchArm, shape: RequestShape, url: str) -> None:
        """Args.

        documents: the pending ones; read as far as they fit into parts.
        arm: their arm.
        shape: the form of their requests.
        url: the endpoint path in each line.
        """
        self.arm = arm
        self._documents = documents
        self._shape = shape
        self._encoder = arm.reader.dialect.encoder(arm.plan.question)
        self._url = url
        self._next: _Request | None = None
        self._drafted = KeyIndex()

    def next_tokens(self) -> int | None:
        """Prompt tokens of the next row; None if no row is left. Blocks."""
        request = self._peek()
        return None if request is None else request.tokens

    @property
    def needs_nanousd(self) -> int | None:
        """Maximum cost of the next row; None if no row is left among those read so far."""
        return None if self._next is None else self._next.row.at_most_nusd

    def write(self, files: PartFiles, limits: PartLimits) -> PartDraft | None:
        """Write the next part's files. None if no row is left, or the next one does not fit.

        Raises:
            StorageFailed: they cannot be written.
        """
        if self._peek() is None:
            return None
        with drafted(files) as draft:
            while (request := self._peek()) is not None and _has_room(draft, request, limits):
                draft.add(request.row, request.line, request.tokens)
                self._next = None
        return draft if draft.rows else None

    def _peek(self) -> _Request | None:
        while self._next is None and (document := next(self._documents, None)) is not None:
            name = short(document.key)
            if self._drafted.get(name) is None:  # rows with the same text are sent once
                self._drafted[name] = 1
                self._next = self._request(document)
        return self._next

    def _request(self, document: Document) -> _Request:
        text, arm = document.row.text, self.arm
        before = arm.plan.before(text)
        body = self._encoder.encode(text, self._shape, before=before)
        tokens = arm.plan.prefix_tokens + count_tokens(before + text) + _FRAME_TOKENS
        most = ceil(tokens * max(LIKE_OURS, arm.plan.choice.token_ratio))
        row = PartRow(
            key=document.key,
            row=document.row.index,
            id=document.row.id,
            at_most_nusd=arm.reader.biller.most_in_batch_nanousd(body, self._shape, most),
            size=len(body),
            flags=document.row.flags,
            canary_key=None if arm.canary_key is None else arm.canary_key(text),
        )
        return _Request(row, request_line(document.key, self._url, body), tokens)


def _has_room(draft: PartDraft, request: _Request, limits: PartLimits) -> bool:
    return (
        draft.rows < limits.rows
        and (draft.size + len(request.line) <= limits.bytes or not draft.rows)
        and (limits.tokens is None or draft.tokens + request.tokens <= limits.tokens)
        and (limits.nanousd is None or draft.at_most_nanousd + request.row.at_most_nusd <= limits.nanousd)
    )
