"""Output formats from other packages: selected by name, given every record, and named in errors."""

from pathlib import Path

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.runs.outputs import output_format
from tests.e2e.conftest import StartEndpoint
from tests.e2e.program import Program, write_rows
from tests.e2e.program import read_rows as rows_of
from tests.extending.conftest import Site

GROUP = "[llmbatch.outputs]\none = acme:ONE\n"
ROWS = [{"id": 1, "text": "The invoice.", "tags": ["a|b"]}, {"id": 2, "text": "The API.", "note": "<b>\n"}, {"id": 3}]
WRITER = """
class Writer:
    def __init__(self, file): self.file = file
    def write(self, record): self.file.write(repr(record).encode() + b"\\n")
    def close(self): self.file.write(b"end")
class One:
    has_columns = {has_columns}
    is_typed = {is_typed}
    def writer(self, file, columns): return Writer(file)
ONE = One()
"""


def labelled(program: Program, endpoint: StartEndpoint) -> Path:
    write_rows(program.folder / "docs.jsonl", ROWS)
    done = program("classify", "docs.jsonl", "--review-below", "0", "--base-url", endpoint().url)
    assert done.code == 3, done.err
    return program.folder / "docs.llmbatch"


def test_results_are_exported_as_markdown(extended: Program, endpoint: StartEndpoint) -> None:
    run = labelled(extended, endpoint)
    done = extended("export", run, "--format", "md", "--out", "tables")
    assert done.code == 0, done.err
    assert done.out.split() == [f"tables/{name}.md" for name in ("results", "review", "failed")]
    header, _, first, second = (extended.folder / "tables" / "results.md").read_text().splitlines()
    assert header.startswith("| row | id | category |")
    assert ("[&quot;a&#124;b&quot;]" in first, "&lt;b&gt;<br>" in second) == (True, True)
    assert "docs.jsonl" in (extended.folder / "tables" / "failed.md").read_text()
    assert len(rows_of(run / "results.jsonl")) == 2


def test_an_unknown_format_is_refused_with_the_known_ones(extended: Program, endpoint: StartEndpoint) -> None:
    done = extended("export", labelled(extended, endpoint), "--format", "docx")
    assert (done.code, "jsonl, csv, parquet, md" in done.err) == (2, True), done.err


@pytest.mark.parametrize("has_columns", [True, False])
@pytest.mark.parametrize("is_typed", [True, False])
def test_a_writer_gets_what_it_requires(site: Site, *, has_columns: bool, is_typed: bool) -> None:
    site.install("acme", GROUP, {"acme": WRITER.format(has_columns=has_columns, is_typed=is_typed)})
    path = site.path / "out"
    with path.open("wb") as file:
        writer = output_format("one").writer(file, ("a", "b") if has_columns else ())
        writer.write({"a": [1, None]})
        writer.close()
    value: object = [1, None] if is_typed else "[1,null]"
    missing = {"b": None if is_typed else ""} if has_columns else {}
    assert path.read_text() == f"{ {'a': value, **missing} }\nend"


@pytest.mark.parametrize("place", ["writer", "write", "close"])
def test_a_failing_writer_leaves_existing_files_unchanged(
    extended: Program, endpoint: StartEndpoint, site: Site, place: str
) -> None:
    code = WRITER.format(has_columns=True, is_typed=True)
    head, _, body = code.partition(f"def {place}(")
    site.install("acme", GROUP, {"acme": f"{head}def {place}({body.replace(': ', ': 1 / 0; ', 1)}"})
    run = labelled(extended, endpoint)
    (run / "results.one").write_text("old")
    done = extended("export", run, "--format", "one", PYTHONPATH=str(site.path))
    assert (done.code, done.err.count("\n")) == (2, 2), done.err
    assert "plug-in 'one' of acme 1.0 cannot be used" in done.err
    assert (run / "results.one").read_text() == "old"
    assert not list(run.glob(".llmbatch-*"))


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("class ONE: pass", "is a class"),
        ("ONE = object()", "no attribute of type bool 'has_columns'"),
        ("class One: has_columns = is_typed = True\nONE = One()", "no method 'writer'"),
    ],
)
def test_an_invalid_format_is_refused(site: Site, code: str, reason: str) -> None:
    site.install("acme", GROUP, {"acme": code})
    with pytest.raises(UsageError, match=reason):
        output_format("one")


@pytest.mark.parametrize("name", ["../../etc/x", "a b", "A", "x.y.z", ""])
def test_a_format_name_cannot_be_a_path(site: Site, name: str) -> None:
    code = WRITER.format(has_columns=True, is_typed=True)
    site.install("acme", GROUP.replace("one", name or "x", 1), {"acme": code})
    with pytest.raises(UsageError):
        output_format(name)
