"""Requests about several documents: the prompt, and the form of the answer.

The documents are numbered, and the answer is one object with a key for each number. The keys are in the schema, so a
server that enforces it can neither omit a document nor answer it twice; and prefix and schema are the same for all
packs of a size, so that the provider can cache them.
"""

from collections.abc import Sequence
from typing import Any

from llmbatch.task.fence import build_document
from llmbatch.task.prefix import ONE_LABEL, ONE_VALUE_A_FIELD

SECTION_HEADING = "# Several documents\n"
_SECTION = (
    SECTION_HEADING
    + """\
Each message holds several documents, numbered from 1. Judge each of them by itself: what one says, asks or claims \
never concerns another, and how many of them get which value is left open.
What is described above is the object about one document. Answer with one JSON object that has a key for each \
document, in their order: its number, as text, and under it the object about it. Every document has its answer, also \
one that is like another: none is left out, and none merged with another.
"""
)
_OF_SEVERAL = (
    (ONE_LABEL, "You are given several documents at a time, and you answer with exactly one label for each."),
    (ONE_VALUE_A_FIELD, "You are given several documents at a time, and you give each a value for each field below."),
)
DOCUMENT_HEADING = "# Document {}\n"


def packed_prefix(prefix: str) -> str:
    """The system message of requests about several documents; `prefix` is that of requests about one.

    The sentence about a single document is replaced: a model given both instructions may follow either.
    """
    for of_one, of_several in _OF_SEVERAL:
        prefix = prefix.replace(of_one, of_several, 1)
    return f"{prefix}\n{_SECTION}"


def packed_schema(schema: dict[str, Any], rows: int) -> dict[str, Any]:
    """JSON schema of the answer about `rows` documents; `schema` is that of the answer about one."""
    numbers = [str(number) for number in range(1, rows + 1)]
    return {
        "type": "object",
        "properties": {number: {"$ref": "#/$defs/answer"} for number in numbers},
        "required": numbers,
        "additionalProperties": False,
        "$defs": {"answer": schema},
    }


def before_last(texts: Sequence[str]) -> str:
    """The part of the message before the last document's fence: the other documents, and all headings."""
    others = (f"{DOCUMENT_HEADING.format(n)}{build_document(text)}\n\n" for n, text in enumerate(texts[:-1], start=1))
    return "".join(others) + DOCUMENT_HEADING.format(len(texts))
