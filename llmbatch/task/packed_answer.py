"""Splits an answer about several documents into each document's own answer, or the reason why it has none.

Each part is parsed separately, under the rules for an answer about one document. Damage affects only the parts
concerned: those missing, duplicated or invalid, and those after a point where the JSON is broken, which is never
repaired. If the numbering itself is in doubt, no part counts: a document must not get its neighbour's label.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from llmbatch.task.answer import Answer, AnswerParser
from llmbatch.task.kind import InvalidAnswerError
from llmbatch.task.logprobs import TokenLogprob
from llmbatch.task.thinking import NoAnswerError, behind_thinking

_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class AnswerPart:
    """The answer about one document."""

    answer: Answer | None
    """None if unusable."""
    why: str = ""
    """Why it is unusable, in a few words."""
    start: int = 0
    end: int = 0
    """Start and end of its object in the content, in characters; both 0 if not found."""


@dataclass(frozen=True, slots=True)
class PackedAnswer:
    """The answers about each document, in order."""

    parts: tuple[AnswerPart, ...]
    foreign: int = 0
    """Keys that are not a document's number."""


class PackedAnswerParser:
    """Reads answers about several documents."""

    def __init__(self, parser: AnswerParser) -> None:
        """`parser` reads the answer about one document."""
        self._parser = parser

    def parse(self, content: str, rows: int) -> PackedAnswer:
        """Parse an answer about this many documents. `content` may be truncated: complete parts count.

        Raises:
            InvalidAnswerError: no part is usable.
        """
        members = list(_members(content))
        numbers = {str(number) for number in range(1, rows + 1)}
        times = Counter(member.key for member in members)
        foreign = [key for key in times if key not in numbers]
        missing = numbers - times.keys()
        if missing and any(_WHOLE_NUMBER.fullmatch(key) for key in foreign):
            raise InvalidAnswerError(f"its documents are numbered differently: {', '.join(sorted(foreign))[:60]}")
        found = {member.key: member for member in members}
        parts = (self._part(content, found.get(number), times[number]) for number in map(str, range(1, rows + 1)))
        return PackedAnswer(tuple(parts), len(foreign))

    def _part(self, content: str, member: "_Member | None", times: int) -> AnswerPart:
        if member is None:
            return AnswerPart(None, "the document is not in the answer")
        if times > 1:
            return AnswerPart(None, "the document is in the answer more than once")
        text = content[member.start : member.end]
        if not text.startswith("{"):
            return AnswerPart(None, f"{text!r:.40} is not an object")
        try:
            answer = self._parser.parse(text)
        except InvalidAnswerError as error:
            return AnswerPart(None, str(error))
        repaired = answer.repaired or member.is_wrapped
        return AnswerPart(replace(answer, repaired=repaired), "", member.start, member.end)


_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class _Member:
    key: str
    start: int
    end: int
    is_wrapped: bool
    """Whether there is text around the object."""


def _members(content: str) -> Iterator[_Member]:
    """The complete members of the answer's object.

    Raises:
        InvalidAnswerError: there is no object, or more than one.
    """
    answer = _behind_thinking(content)
    offset = len(content) - len(answer)
    begin = answer.find("{")
    if begin < 0:
        raise InvalidAnswerError("there is no JSON object in the answer")
    place, found = _behind_space(answer, begin + 1), list[tuple[str, int, int]]()
    is_whole = answer[place : place + 1] == "}"
    while not is_whole and (member := _member(answer, place)) is not None:
        found.append(member)
        place = _behind_space(answer, member[2])
        if answer[place : place + 1] != ",":
            is_whole = answer[place : place + 1] == "}"
            break
        place = _behind_space(answer, place + 1)
    if is_whole and "{" in answer[place + 1 :]:
        raise InvalidAnswerError("there is more than one JSON object in the answer")
    is_wrapped = offset > 0 or answer[:begin].strip() != "" or (is_whole and answer[place + 1 :].strip() != "")
    for key, start, end in found:
        yield _Member(key, offset + start, offset + end, is_wrapped)


def _behind_thinking(content: str) -> str:
    try:
        if isinstance(_DECODER.decode(content.strip()), dict):
            return content  # even if a text in it looks like reasoning
    except (ValueError, RecursionError):
        pass
    try:
        return behind_thinking(content)
    except NoAnswerError as error:
        raise InvalidAnswerError(str(error)) from None


def _member(text: str, place: int) -> tuple[str, int, int] | None:
    """(key, start and end of the value) of the member that begins there; None if it is broken."""
    try:
        key, end = _DECODER.raw_decode(text, place)
        colon = _behind_space(text, end)
        if not isinstance(key, str) or text[colon : colon + 1] != ":":
            return None
        start = _behind_space(text, colon + 1)
        _, end = _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError):
        return None
    return key, start, end


def _behind_space(text: str, place: int) -> int:
    space = _SPACE.match(text, place)
    return place if space is None else space.end()


def tokens_of_part(tokens: Sequence[TokenLogprob], content: str, part: AnswerPart) -> tuple[TokenLogprob, ...] | None:
    """The tokens of one part of an answer: those with a byte in it; None if the tokens do not match the content.

    A server may have stripped something around it that the tokens still contain, such as a code fence.

    Args:
        tokens: the tokens of the whole answer.
        content: the whole answer.
        part: the part, with its start and end.
    """
    offset = b"".join(token.token for token in tokens).find(_bytes(content))
    if offset < 0:
        return None
    start, end = (offset + len(_bytes(content[:place])) for place in (part.start, part.end))
    inside, at = list[TokenLogprob](), 0
    for token in tokens:
        if at < end and at + len(token.token) > start:
            inside.append(token)
        at += len(token.token)
    return tuple(inside)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
