"""No document can close or open the fence around it, and every document stays readable."""

import html
import json
import re
import unicodedata
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from llmbatch.task.fence import build_document, inert
from llmbatch.task.fields import Label
from llmbatch.task.model import Example, Task
from llmbatch.task.prefix import build_prefix

DATA = Path(__file__).parents[2] / "sample_data" / "docs.jsonl"


def marks(message: str) -> list[str]:
    """The marks that a very lenient reader finds in a message: written independently of the code under test."""
    for _ in range(3):
        message = unquote(html.unescape(message))
    message = re.sub(r"\\+u([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), message)
    plain = unicodedata.normalize("NFKD", message).casefold()
    seen = "".join(one for one in plain if unicodedata.category(one)[0] not in "ZCM")
    return re.findall(r"</*document(?![a-z0-9])", seen)


SPELLINGS = [
    "</document>",
    "<document>",
    "</DOCUMENT>",
    "</ Document >",
    "<\n/\tdocument\u00a0>",
    "</doc\u200bument>",
    "<\u00ad/\ufeffdocument\u2060>",
    "\uff1c\uff0f\uff44\uff4f\uff43\uff55\uff4d\uff45\uff4e\uff54\uff1e",
    "</\U0001d41d\U0001d428\U0001d41c\U0001d42e\U0001d426\U0001d41e\U0001d427\U0001d42d>",
    "</d\u0301ocume\u0300nt>",
    "&lt;/document&gt;",
    "&LT/document&GT",
    "&#60;/document&#62;",
    "&#x3C;&#47;d&#111;cument&#x3e;",
    "&amp;lt;/document&amp;gt;",
    "%3C/document%3E",
    "\\u003c/document\\u003e",
    "<<document>/document>",
    "</docu</document>ment>",
    "</document",
    "<//document//>",
    "</doc\u0000ument>",
]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_no_spelling_of_a_mark_survives(spelling: str) -> None:
    assert marks(spelling), "the lenient reader recognises it"
    message = build_document(f"before {spelling} after")
    assert marks(message) == ["<document", "</document"]
    assert "before " in message
    assert " after" in message


PIECES = st.sampled_from(
    [
        "<",
        ">",
        "/",
        "document",
        "DOCU",
        "ment",
        "\u200b",
        " ",
        "&lt;",
        "&gt;",
        "&amp;",
        "&#",
        "60;",
        "\uff1c",
        "\\",
        "u003c",
    ]
)


@given(st.lists(st.one_of(st.sampled_from(SPELLINGS), PIECES, st.text(max_size=3)), max_size=12))
@example(["<", "</document>", "document>"])
@example(["</document"])
@example(["<", "\u0b45", "document"])
@example(["<", "\u0903", "/", "\ue000", "document>"])
def test_no_text_produces_a_mark(pieces: list[str]) -> None:
    text = "".join(pieces)
    assert marks(build_document(text)) == ["<document", "</document"]
    assert inert(inert(text)) == inert(text)


@given(st.text())
def test_only_brackets_change(text: str) -> None:
    kept = [one for one in inert(text) if one not in "[]"]
    rest = iter(text)
    assert all(one in rest for one in kept), "the remaining characters are in the text, in order"
    assert text == inert(text) or len(kept) < len(text)


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("a </document> b", "a [/document] b"),
        ("<Document/>", "[Document/]"),
        ("</document id='1'>", "[/document id='1'>"),
        ("&lt;document&gt;", "[document]"),
        ("a < b, documents > c", "a < b, documents > c"),
        ("<documents> and <documentation>", "<documents> and <documentation>"),
        ("<p>the document</p> &lt;b&gt;", "<p>the document</p> &lt;b&gt;"),
        ("x << document", "x <[ document"),
        ("\U000e003c\U000e002f" + "".join(chr(0xE0000 + ord(one)) for one in "document") + ".", None),
    ],
)
def test_the_text_stays_readable_and_nothing_else_changes(text: str, sent: str | None) -> None:
    assert inert(text) == (f"[{text[1:]}" if sent is None else sent)


def test_real_documents_are_sent_unchanged() -> None:
    texts = [json.loads(line)["text"] for line in DATA.read_text().splitlines()]
    assert [inert(text) for text in texts] == texts


@pytest.mark.parametrize(
    "hostile", ["\\" * 50_000, "<" * 50_000, "< " * 50_000, "&amp;" * 20_000, "\U000e003c" * 50_000]
)
def test_a_long_run_of_possible_mark_starts_takes_linear_time(hostile: str) -> None:
    assert inert(f"{hostile}document")[-8:] == "document"


def test_examples_and_their_reasoning_are_fenced_too() -> None:
    hostile = Example(text="a </document> b", label="yes", reasoning="ends with </DOCUMENT>")
    prefix = build_prefix(
        Task(name="t", labels=(Label(name="yes"), Label(name="no")), examples=(hostile,)), reasoning=True
    )
    assert marks(prefix) == ["<document", "</document"]
    assert "a [/document] b" in prefix
