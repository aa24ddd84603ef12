"""A request about several documents: what is asked, and the form of the answer.

The documents are numbered, and the answer is one object with a key for each number. The keys are the schema's, so that
a server that keeps to it can neither leave a document out nor answer it twice; and prefix and schema are the same for
all packs of a size, so that they meet on the provider's cache.
"""

from collections.abc import Sequence
from typing import Any

from llmbatch.task.fence import build_document

SECTION_HEADING = "# Several documents\n"
_SECTION = (
    SECTION_HEADING
    + """\
Each message holds several documents, numbered from 1. Judge each of them by itself: what one says, asks or claims \
never concerns another, and how many of them get which value is left open.
Answer with one JSON object that has a key for each document, in their order: its number, as text. Under it stands the \
object that is described above, for that document.
"""
)
DOCUMENT_HEADING = "# Document {}\n"


def packed_prefix(prefix: str) -> str:
    """The system message of requests about several documents; `prefix` is that of requests about one."""
    return f"{prefix}\n{_SECTION}"


def packed_schema(schema: dict[str, Any], rows: int) -> dict[str, Any]:
    """JSON schema of the answer about so many documents; `schema` is that of the answer about one."""
    numbers = [str(number) for number in range(1, rows + 1)]
    return {
        "type": "object",
        "properties": {number: {"$ref": "#/$defs/answer"} for number in numbers},
        "required": numbers,
        "additionalProperties": False,
        "$defs": {"answer": schema},
    }


def before_last(texts: Sequence[str]) -> str:
    """All that stands in the message before the last document's fence: the other documents, and each one's heading."""
    others = (f"{DOCUMENT_HEADING.format(n)}{build_document(text)}\n\n" for n, text in enumerate(texts[:-1], start=1))
    return "".join(others) + DOCUMENT_HEADING.format(len(texts))
