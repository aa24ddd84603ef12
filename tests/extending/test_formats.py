"""Input formats from other packages: found by name and suffix, read like built-in ones, and named in errors."""

import gzip
import mailbox
from email.message import EmailMessage
from pathlib import Path

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.core.rows import Rejection, Row
from llmbatch.readers import ReaderOptions, count_rows, read_rows, resolve_inputs
from tests.e2e.conftest import StartEndpoint
from tests.e2e.program import Program
from tests.e2e.program import read_rows as rows_of
from tests.extending.conftest import Site

READING = "from llmbatch.extending import Records, Unread\n"
FORMAT = (
    READING + "class One:\n is_text = True\n is_typed = True\n def read(self, content, options):\n  {}\nONE = One()\n"
)


def write_mailbox(path: Path, texts: list[str]) -> Path:
    box = mailbox.mbox(path)
    for number, text in enumerate(texts):
        message = EmailMessage()
        message["Message-ID"], message["Subject"] = f"<{number}@acme>", f"Ticket {number}"
        message.set_content(text)
        box.add(message)
    box.close()
    return path


def test_mailboxes_are_labelled(extended: Program, endpoint: StartEndpoint) -> None:
    path = write_mailbox(extended.folder / "support.mbox", ["The invoice is wrong.\n", "Schön: die API antwortet.\n"])
    done = extended("classify", path, "--review-below", "0", "--base-url", endpoint().url)
    assert done.code == 0, done.err
    results = rows_of(extended.folder / "support.mbox.llmbatch" / "results.jsonl")
    assert [(row["id"], "text" in row) for row in results] == [("<0@acme>", False), ("<1@acme>", False)]
    path.with_name("packed.mbox.gz").write_bytes(gzip.compress(path.read_bytes()))
    for command in (("estimate", "packed.mbox.gz"), ("estimate", "-", "--input-format", "mbox")):
        done = extended(*command, "--json", stdin=path.read_bytes())
        assert done.json["models"][0]["rows"]["total"] == 2


def test_plug_in_formats_are_among_the_suggestions(extended: Program) -> None:
    done = extended("estimate", "-", "--input-format", "docx")
    assert (done.code, "mbox" in done.err) == (2, True), done.err


def read(site: Site, body: str, name: str = "in.one", content: bytes = b"x") -> list[Row | Rejection]:
    site.install("acme", "[llmbatch.formats]\none = acme:ONE\n", {"acme": FORMAT.replace("{}", body)})
    path = site.path / name
    path.write_bytes(content)
    inputs = resolve_inputs([str(path)], ReaderOptions())
    rows = list(read_rows(inputs, ReaderOptions(), on_end=lambda _, __: None))
    assert count_rows(inputs, ReaderOptions()) == len(rows)
    return rows


def test_records_and_unreadable_records(site: Site) -> None:
    record = '(1, b"x", {"text": "A text."}, ())'
    rows = read(site, f'return Records(iter([{record}, Unread(2, b"raw", "odd", "it is odd"), {record}]))')
    assert [type(row) for row in rows] == [Row, Rejection, Row]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("raise KeyError('x')", "KeyError: 'x'"),
        ("return []", "read() gave list instead of Records"),
        ("return Records(iter([{'text': 'a'}]))", "a record must be Unread, or (line, bytes, fields, flags)"),
        ("return Records(iter([(1, 'a', {'text': 'a'}, ())]))", "a record must be"),
        ("return Records(iter([(1, b'', {'text': type('T', (str,), {})('a')}, ())]))", "field 'text' has a T, not"),
        ("return Records(iter([(1, b'', {'a': [float('nan')]}, ())]))", "field 'a' has a list, not a JSON value"),
        ("return Records(iter([(1, b'', {1: 'a'}, ())]))", "field 1 has a str, not a JSON value"),
        ("return Records(1 / 0 for _ in [1])", "ZeroDivisionError"),
        ("return Records(iter([(1, b'', {'text': 'a'}, ())]), at_end=lambda: 1 / 0)", "ZeroDivisionError"),
    ],
)
def test_plug_in_errors_name_the_plug_in(site: Site, body: str, reason: str) -> None:
    with pytest.raises(UsageError) as raised:
        read(site, body)
    assert raised.value.message.startswith(f"plug-in 'one' of acme 1.0 cannot be used ({reason}")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("class ONE: pass", "ONE is a class; an instance is required"),
        ("ONE = object()", "it has no attribute of type bool 'is_text'"),
        ("class One:\n is_text = is_typed = True\n read = 1\nONE = One()", "it has no method 'read'"),
    ],
)
def test_an_invalid_format_is_refused(site: Site, code: str, reason: str) -> None:
    site.install("acme", "[llmbatch.formats]\none = acme:ONE\n", {"acme": code})
    path = site.path / "in.one"
    path.touch()
    with pytest.raises(UsageError) as raised:
        resolve_inputs([str(path)], ReaderOptions())
    assert reason in raised.value.message


def test_damaged_compression_ends_the_records_but_not_the_run(site: Site) -> None:
    body = "return Records((1, chunk, {'text': 'A text.'}, ()) for chunk in content.chunks)"
    rows = read(site, body, "in.one.gz", gzip.compress(b"text" * 1000)[:-9])
    assert [row.kind for row in rows if isinstance(row, Rejection)] == ["bad_gzip"]
