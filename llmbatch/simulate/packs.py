"""The answer about a request's document, or about each of several, which are labelled as if each were alone."""

import re
from collections.abc import Sequence
from dataclasses import replace

from llmbatch.simulate.answer import Answer, Verdict, as_json
from llmbatch.simulate.answer_faults import AnswerFault
from llmbatch.simulate.form import refuse
from llmbatch.simulate.pack_faults import PACK_FAULTS, Part
from llmbatch.simulate.prompt import Prompt
from llmbatch.simulate.sampling import Sampling
from llmbatch.task.fence import build_document
from llmbatch.task.packed_prompt import DOCUMENT_HEADING

_NUMBER, _DOCUMENT = r"(?P<number>\d+)", r"(?P<document>.*?)"
_PACKED = re.compile(
    re.escape(DOCUMENT_HEADING.format("\0") + build_document("\1")).replace("\0", _NUMBER).replace("\1", _DOCUMENT),
    re.DOTALL,
)
_OF_ONE = frozenset({"invented", "miscased", "bad_confidence", "no_confidence", "duplicate_key", "decorated"})
"""Faults that affect the object of one document, and leave the others unchanged."""


def documents_in(message: str) -> list[tuple[str, str]]:
    """Numbers and texts of the documents in a message."""
    return [(found["number"], found["document"]) for found in _PACKED.finditer(message)]


def read_parts(prompt: Prompt, message: str, sampling: Sampling) -> list[Part]:
    """Label each document of a message; for several, each has a draw of its own.

    Raises:
        RefusedError: it should contain several, but none is numbered.
    """
    if not prompt.form.is_packed:
        verdict = prompt.with_listing(message).verdict(message, sampling)
        return [Part("", verdict, as_json(verdict.fields))]
    parts = list[Part]()
    for number, text in documents_in(message):
        verdict = prompt.verdict(build_document(text), replace(sampling, draw=f"{sampling.draw}/{number}"))
        parts.append(Part(number, verdict, as_json(verdict.fields)))
    return parts or refuse("there is no numbered document in the last message")


def content_of(parts: Sequence[Part]) -> str:
    """The answer's JSON."""
    if [part.number for part in parts] == [""]:
        return parts[0].text
    return "{" + ",".join(part.member for part in parts) + "}"


def spans_in(content: str, parts: Sequence[Part]) -> list[tuple[Verdict, int, int]]:
    """Verdicts with their positions in an answer, in characters; those that it does not contain are left out."""
    if len(parts) == 1:
        return [(parts[0].verdict, 0, len(content))]
    places = ((part, content.find(part.member)) for part in parts)
    return [(part.verdict, place, place + len(part.member)) for part, place in places if place >= 0]


def spoilt(kind: str, fault: AnswerFault, answer: Answer, parts: Sequence[Part]) -> Answer:
    """An answer with a fault in it: if it is about several documents, in all, or in the one in the middle."""
    if len(parts) == 1:
        return fault(answer, parts[0].verdict)
    middle = len(parts) // 2
    if (of_packs := PACK_FAULTS.get(kind)) is not None:
        return replace(answer, content=content_of(of_packs(parts, middle)))
    verdict = parts[middle].verdict
    if kind in _OF_ONE or kind == "broken_json":
        bad = fault(replace(answer, content=parts[middle].text), verdict).content or ""
        before, behind = parts[:middle], parts[middle + 1 :]
        content = content_of([*before, replace(parts[middle], text=bad), *behind])
        end = content.index(bad, len(content_of(before)) - 1) + len(bad)
        return replace(answer, content=content[:end] if kind == "broken_json" else content)
    of_all = replace(verdict, fields={part.number: part.verdict.fields for part in parts}, label_key=parts[0].number)
    return fault(answer, of_all)
