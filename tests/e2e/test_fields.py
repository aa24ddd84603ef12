"""Which fields a run uses: given, detected or saved; missing ones are refused before anything is sent."""

import json
from typing import Any

import pytest

from tests.e2e.conftest import StartEndpoint
from tests.e2e.program import Program, read_rows, write_rows
from tests.sealing import rewrite

LONG = "The seam came apart after one wash and nobody answers my mails, so I want my money back."
SHORT = "Came apart after one wash"


def test_the_detected_fields_are_shown_with_the_first_document_and_saved(
    llmbatch: Program, endpoint: StartEndpoint
) -> None:
    server, docs = endpoint(), llmbatch.folder / "docs.csv"
    docs.write_text(f'id,Title,Review Text\n1,{SHORT},"{LONG}\x1b[31m"\n2,,{LONG.replace(",", "")}\n')
    command = ("classify", "docs.csv", "--base-url", server.url)
    first = llmbatch(*command)
    assert first.code == 0, first.err
    assert "text from 'Title' + 'Review Text', id from 'id'" in first.err
    assert f'"{SHORT} The seam came apart' in first.err
    assert "\x1b" not in first.err
    docs.write_text(
        docs.read_text().replace("Review Text", "Review Text") + "".join(f"{n},Title {n},ok\n" for n in range(150))
    )
    asked = server.requests
    again = llmbatch(*command)
    assert "text from 'Title' + 'Review Text'" in again.err
    assert server.requests == asked + 150


def test_later_rows_do_not_change_the_choice_of_fields(llmbatch: Program, endpoint: StartEndpoint) -> None:
    server, docs = endpoint(), llmbatch.folder / "docs.jsonl"
    write_rows(docs, [{"id": n, "note": f"{SHORT} {n}"} for n in range(3)])
    command = ("classify", "docs.jsonl", "--base-url", server.url, "--review-below", "0")
    assert llmbatch(*command).code == 0
    write_rows(docs, [{"id": n, "note": f"{SHORT} {n}", "text": LONG} for n in range(4)])
    again = llmbatch(*command)
    assert (again.code, server.requests) == (0, 4)
    assert "text from 'note'" in again.err


def test_a_run_from_a_version_that_saved_no_fields_resumes_by_field_names(
    llmbatch: Program, endpoint: StartEndpoint
) -> None:
    server = endpoint()
    write_rows(llmbatch.folder / "docs.jsonl", [{"summary": f"{SHORT} {n}", "reviewText": LONG} for n in range(3)])
    command = ("classify", "docs.jsonl", "--base-url", server.url, "--review-below", "0")
    assert llmbatch(*command, "--text-field", "summary").code == 0

    def as_then(record: dict[str, Any]) -> dict[str, Any]:
        record["reader"]["text_fields"] = []
        del record["fields"]
        return record

    rewrite(llmbatch.folder / "docs.llmbatch" / "run.json", as_then)
    again = llmbatch(*command)
    assert (again.code, server.requests) == (0, 3), again.err
    assert "text from 'summary'" in again.err
    assert llmbatch(*command).code == 0
    assert server.requests == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--text-field", "txet"), "there is no field 'txet'"),
        (("--text-field", "text", "--text-field", "boddy"), "there is no field 'boddy'"),
        (("--id-field", "meta.idd"), "there is no field 'meta.idd'"),
        (("--keep", "text,tema"), "there is no field 'tema'"),
    ],
)
def test_a_missing_field_is_refused_before_anything_is_sent_or_written(
    llmbatch: Program, endpoint: StartEndpoint, arguments: tuple[str, ...], message: str
) -> None:
    server = endpoint()
    rows = [{"id": n, "meta": {"id": n}, "text": f"{LONG} {n}", "team": "x"} for n in range(3)]
    write_rows(llmbatch.folder / "docs.jsonl", rows)
    done = llmbatch("classify", "docs.jsonl", "--base-url", server.url, *arguments)
    assert (done.code, server.requests) == (2, 0)
    assert message in done.err
    assert "'team'" in done.err
    assert not (llmbatch.folder / "docs.llmbatch").exists()
    piped = llmbatch(
        "classify", "-", "--base-url", server.url, *arguments, stdin=(llmbatch.folder / "docs.jsonl").read_bytes()
    )
    assert (piped.code, server.requests) == (2, 0), piped.err
    assert message in piped.err


def test_names_with_spaces_and_commas_work_on_the_command_line_and_in_variables(
    llmbatch: Program, endpoint: StartEndpoint
) -> None:
    server = endpoint()
    rows = [{"id": n, "Title, long": f"{SHORT} {n}", "Review Text": f"{LONG} {n}", "a, b": n} for n in range(2)]
    write_rows(llmbatch.folder / "docs.jsonl", rows)
    command = ("classify", "docs.jsonl", "--base-url", server.url, "--review-below", "0")
    done = llmbatch(*command, "--text-field", "Title, long", "--text-field", "Review Text", "--keep", "a, b")
    assert done.code == 0, done.err
    assert [row["a, b"] for row in read_rows(llmbatch.folder / "docs.llmbatch" / "results.jsonl")] == [0, 1]
    same = llmbatch(*command, LLMBATCH_TEXT_FIELD="Title, long,Review Text", LLMBATCH_KEEP="a, b")
    assert same.code == 2, "a name with a comma and another name cannot be told apart in one value"
    only = llmbatch(*command, LLMBATCH_TEXT_FIELD="Review Text", LLMBATCH_KEEP="a, b")
    assert (only.code, server.requests) == (0, 4), only.err


def test_nested_fields_are_labelled_by_their_paths(llmbatch: Program, endpoint: StartEndpoint) -> None:
    row = {"id": 1, "doc": {"title": "Parcel", "body": "Where is it?"}, "tags": ["a", "b"]}
    write_rows(llmbatch.folder / "docs.jsonl", [row])
    command = ("classify", "docs.jsonl", "--base-url", endpoint().url, "--review-below", "0")
    done = llmbatch(
        *command, "--text-field", "doc.title", "--text-field", "doc.body", "--keep", "tags", "--keep", "doc.title"
    )
    assert done.code == 0, done.err
    (result,) = read_rows(llmbatch.folder / "docs.llmbatch" / "results.jsonl")
    assert (result["tags"], result["doc.title"]) == (["a", "b"], "Parcel")


def test_a_list_inside_an_object_is_reported_as_the_source_of_the_rows(
    llmbatch: Program, endpoint: StartEndpoint
) -> None:
    (llmbatch.folder / "page.json").write_text(json.dumps({"count": 1, "data": [{"id": 1, "text": LONG}]}, indent=2))
    done = llmbatch("classify", "page.json", "--base-url", endpoint().url, "--text-field", "text", "--id-field", "id")
    assert done.code == 0, done.err
    assert "page.json: one object, its rows from the list 'data'; text from 'text', id from 'id'" in done.err
