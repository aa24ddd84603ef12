"""The main job: every row ends in exactly one output, and nothing is sent twice."""

import csv
import gzip
import json
from pathlib import Path

import pytest

from tests.e2e.conftest import StartEndpoint
from tests.e2e.program import SAMPLE, Program, accounted, documents, read_rows, views, write_rows
from tests.ledgers import ledger_rows


def test_the_sample_documents_are_classified(llmbatch: Program) -> None:
    done = llmbatch("classify", SAMPLE, "--offline", "--out", "run", "--json", "--sample", "10%")
    assert done.code == 0, done.err
    assert accounted(llmbatch.folder / "run") == list(range(60))
    summary = done.json
    assert summary["rows"]["total"] == 60
    assert sum(summary["labels"].values()) == 60
    assert summary["usage"]["cost_usd"] > 0
    assert summary["usage"]["cached_share"] > 0.5
    found = views(llmbatch.folder / "run")
    assert found["sample"]
    assert all(row["text"] for row in found["review"] + found["sample"])


def test_results_include_the_inputs_other_fields_in_input_order(llmbatch: Program, endpoint: StartEndpoint) -> None:
    rows = [{"id": n, "text": f"Invoice {n} is overdue.", "team": f"t{n}", "nested": {"a": [n]}} for n in range(20)]
    write_rows(llmbatch.folder / "docs.jsonl", rows)
    assert llmbatch("classify", "docs.jsonl", "--base-url", endpoint().url, "--review-below", "0").code == 0
    results = read_rows(llmbatch.folder / "docs.llmbatch" / "results.jsonl")
    assert [(r["id"], r["team"], r["nested"]) for r in results] == [(r["id"], r["team"], r["nested"]) for r in rows]
    assert not any("text" in result for result in results)


def test_an_input_field_overwrites_neither_the_answer_nor_another_field(
    llmbatch: Program, endpoint: StartEndpoint
) -> None:
    server = endpoint().url
    own = {"category": "mine", "input_category": "older", "row": 70, "input_row": 71, "confidence": "x", "key": "k"}
    write_rows(llmbatch.folder / "docs.jsonl", [{"id": 1, "text": "An invoice.", **own}])
    done = llmbatch("classify", "docs.jsonl", "--base-url", server, "--review-below", "1", "--json")
    (result,) = read_rows(llmbatch.folder / "docs.llmbatch" / "review.jsonl")
    assert result["category"] not in own.values()
    assert [value for value in result.values() if value in own.values()] == list(own.values())
    assert "category as input_category, input_category as input_input_category" in done.json["notes"][-1]
    answers = [result["category"]]
    for name in ("review.jsonl", "review.csv"):
        source = f"{done.json['folder']}/{name}"
        if name.endswith("csv"):
            llmbatch("export", done.json["folder"], "--format", "csv")
        out = ("--out", f"again-{name}", "--review-below", "1", "--model", f"gpt-6-{'sol' if answers[1:] else 'luna'}")
        done = llmbatch("classify", source, "--base-url", server, "--json", *out)
        (result,) = read_rows(llmbatch.folder / f"again-{name}" / "review.jsonl")
        answers.append(result["category"])
        values = {str(value) for value in result.values()}
        assert {*map(str, own.values()), *answers} <= values
        assert result["input_category"] == answers[-2]


def test_the_same_rows_give_the_same_bytes_whichever_command_writes_them(
    llmbatch: Program, endpoint: StartEndpoint
) -> None:
    (llmbatch.folder / "in").mkdir()
    write_rows(llmbatch.folder / "in" / "docs.jsonl", [*documents(4), b"{broken"])
    server = endpoint("--fault", "refusal@2")
    llmbatch("classify", "./in/docs.jsonl", "--base-url", server.url, "--concurrency", "1")
    run = llmbatch.folder / "in" / "docs.llmbatch"
    written = {name: (run / f"{name}.jsonl").read_bytes() for name in ("results", "review", "failed")}
    assert {row["error"]["file"] for row in views(run)["failed"]} == {"docs.jsonl"}
    for command in (
        ("export", "in/docs.llmbatch"),
        ("retry", run, "--only", "refusal", "--max-failed", "9"),
        ("classify", llmbatch.folder / "in" / "docs.jsonl", "--base-url", server.url, "--max-failed", "9"),
    ):
        fault = ("--base-url", endpoint("--fault", "refusal@1+").url) if command[0] != "export" else ()
        done = llmbatch(*command, *fault)
        assert done.code == 0, done.err
        assert {name: (run / f"{name}.jsonl").read_bytes() for name in written} == written, command


def test_running_it_again_sends_nothing(llmbatch: Program, endpoint: StartEndpoint) -> None:
    server = endpoint()
    write_rows(llmbatch.folder / "docs.jsonl", documents(40))
    command = ("classify", "docs.jsonl", "--base-url", server.url)
    assert llmbatch(*command).code == 0
    before, sent = views(llmbatch.folder / "docs.llmbatch"), server.requests
    assert sent == 40
    assert llmbatch(*command).code == 0
    assert server.requests == sent
    assert views(llmbatch.folder / "docs.llmbatch") == before


def test_only_new_and_edited_rows_are_sent_when_the_input_changes(llmbatch: Program, endpoint: StartEndpoint) -> None:
    server = endpoint()
    rows = documents(30)
    write_rows(llmbatch.folder / "docs.jsonl", rows)
    llmbatch("classify", "docs.jsonl", "--base-url", server.url)
    rows.insert(3, {"id": "new", "text": "A new document about a court."})
    rows[10]["text"] += " Edited."
    del rows[20]
    write_rows(llmbatch.folder / "docs.jsonl", rows)
    assert llmbatch("classify", "docs.jsonl", "--base-url", server.url).code == 0
    assert server.requests == 32
    assert accounted(llmbatch.folder / "docs.llmbatch") == list(range(30))


def test_another_prompt_makes_rows_pending(llmbatch: Program, endpoint: StartEndpoint) -> None:
    server = endpoint()
    write_rows(llmbatch.folder / "docs.jsonl", documents(5))
    llmbatch("classify", "docs.jsonl", "--base-url", server.url)
    llmbatch("prompt", "init", "task.toml", "--label", "good", "--label", "bad")
    done = llmbatch("classify", "docs.jsonl", "--base-url", server.url, "--prompt", "task.toml", "--json")
    assert server.requests == 10
    assert set(done.json["labels"]) == {"good", "bad"}


def test_another_threshold_splits_the_same_answers_differently(llmbatch: Program, endpoint: StartEndpoint) -> None:
    server = endpoint()
    write_rows(llmbatch.folder / "docs.jsonl", documents(10))
    llmbatch("classify", "docs.jsonl", "--base-url", server.url, "--review-below", "0")
    assert len(views(llmbatch.folder / "docs.llmbatch")["results"]) == 10
    llmbatch("classify", "docs.jsonl", "--base-url", server.url, "--review-below", "1")
    assert len(views(llmbatch.folder / "docs.llmbatch")["review"]) == 10
    assert server.requests == 10


def test_rows_with_the_same_text_are_sent_once_and_stay_separate(llmbatch: Program, endpoint: StartEndpoint) -> None:
    server = endpoint()
    rows = [{"id": name, "text": "The same."} for name in (1, "1", 1, "x")] * 50
    write_rows(llmbatch.folder / "docs.jsonl", rows)
    assert llmbatch("classify", "docs.jsonl", "--base-url", server.url, "--review-below", "0").code == 0
    assert server.requests == 1
    results = read_rows(llmbatch.folder / "docs.llmbatch" / "results.jsonl")
    assert [r["id"] for r in results] == [r["id"] for r in rows]
    ledger = ledger_rows(llmbatch.folder / "docs.llmbatch" / "ledger.jsonl")
    assert [line.get("source") for line in ledger].count("reused") == 199
    assert sum(line["cost_usd"] > 0 for line in ledger) == 1


def test_bad_rows_are_reported_with_their_place_and_shift_no_others(llmbatch: Program, endpoint: StartEndpoint) -> None:
    rows = [
        {"id": "a", "text": "An invoice."},
        b'{"id": "b", "text": ',
        {"id": "c"},
        {"id": "d", "text": 7},
        {"id": "e", "text": "  "},
        b'{"id": "f", "text": "\xff"}',
        b"[1, 2]",
        b'{"id": "g", "text": "x", "n": NaN}',
        {"id": "h", "text": "A court."},
    ]
    write_rows(llmbatch.folder / "docs.jsonl", rows)
    done = llmbatch("classify", "docs.jsonl", "--base-url", endpoint().url, "--review-below", "0", "--json")
    assert done.code == 3
    assert (done.json["rows"]["ok"], done.json["rows"]["rejected"]) == (2, 7)
    run = llmbatch.folder / "docs.llmbatch"
    assert [(r["row"], r["id"]) for r in read_rows(run / "results.jsonl")] == [(0, "a"), (8, "h")]
    failed = read_rows(run / "failed.jsonl")
    assert [(f["error"]["row"], f["error"]["line"]) for f in failed] == [(n, n + 1) for n in range(1, 8)]
    assert failed[0]["raw"] == '{"id": "b", "text": '
    assert "raw_base64" in failed[4]


def test_tolerated_failures_exit_with_0(llmbatch: Program, endpoint: StartEndpoint) -> None:
    command = ("classify", "docs.jsonl", "--base-url", endpoint().url, "--max-failed")
    write_rows(llmbatch.folder / "docs.jsonl", [*documents(9), b"bad"])
    assert [llmbatch(*command, tolerated).code for tolerated in ("1", "10%", "9%")] == [0, 0, 3]


def test_strict_stops_at_the_first_bad_row(llmbatch: Program, endpoint: StartEndpoint) -> None:
    write_rows(llmbatch.folder / "docs.jsonl", [*documents(2), b"bad", *documents(2)])
    done = llmbatch("classify", "docs.jsonl", "--base-url", endpoint().url, "--strict")
    assert done.code == 2
    assert "docs.jsonl:3" in done.err
    assert "Traceback" not in done.err


def test_csv_with_joined_fields_and_gzip(llmbatch: Program, endpoint: StartEndpoint) -> None:
    with gzip.open(llmbatch.folder / "docs.csv.gz", "wt", newline="", encoding="utf-8-sig") as file:
        writer = csv.writer(file)
        writer.writerow(["key", "title", "body", "lang"])
        writer.writerow(["1", "Invoice", 'overdue,\r\n"now"', "en"])
        writer.writerow(["2", "Gericht", "Klage\u2028eingereicht", "de"])
    done = llmbatch(
        "classify",
        "docs.csv.gz",
        "--base-url",
        endpoint().url,
        "--id-field",
        "key",
        "--text-field",
        "title,body",
        "--review-below",
        "1",
    )
    assert done.code == 0, done.err
    review = read_rows(llmbatch.folder / "docs.llmbatch" / "review.jsonl")
    assert [(r["id"], r["key"], r["lang"]) for r in review] == [("1", "1", "en"), ("2", "2", "de")]
    assert review[0]["text"] == 'Invoice\n\noverdue,\r\n"now"'


def test_standard_input_is_read_and_can_be_retried(llmbatch: Program, endpoint: StartEndpoint) -> None:
    server = endpoint("--fault", "context_length@2")
    stdin = b"".join(json.dumps(row).encode() + b"\n" for row in documents(6))
    done = llmbatch("classify", "-", "--base-url", server.url, "--out", "run", "--json", stdin=stdin)
    assert (done.code, done.json["rows"]["failed"]) == (3, 1)
    assert accounted(llmbatch.folder / "run") == list(range(6))
    assert llmbatch("retry", "run", "--base-url", server.url).code == 0
    assert server.requests == 7


def test_several_inputs_and_folders(llmbatch: Program, endpoint: StartEndpoint) -> None:
    folder = llmbatch.folder / "in"
    folder.mkdir()
    write_rows(folder / "a.jsonl", documents(2))
    (folder / "b.tsv").write_text('id\ttext\n1\t"Quoted" start\n')
    write_rows(llmbatch.folder / "c.ndjson", [{"text": "No id here."}])
    assert llmbatch("classify", "in", "c.ndjson", "--base-url", endpoint().url, "--out", "run").code == 0
    assert accounted(llmbatch.folder / "run") == [0, 1, 2, 3]


def test_the_random_sample_is_the_same_in_every_run_and_grows_with_its_share(
    llmbatch: Program, endpoint: StartEndpoint
) -> None:
    command = ("classify", "docs.jsonl", "--base-url", endpoint().url, "--sample")
    write_rows(llmbatch.folder / "docs.jsonl", documents(200))
    samples = []
    for share in ("10%", "10%", "30%"):
        llmbatch(*command, share)
        samples.append({row["row"] for row in views(llmbatch.folder / "docs.llmbatch")["sample"]})
    assert samples[0] == samples[1] < samples[2]
    assert 5 <= len(samples[0]) <= 40
    llmbatch(*command, "7")
    assert len(views(llmbatch.folder / "docs.llmbatch")["sample"]) == 7


def test_a_requested_rationale_is_in_the_results(llmbatch: Program, endpoint: StartEndpoint) -> None:
    write_rows(llmbatch.folder / "docs.jsonl", documents(2))
    assert (
        llmbatch("classify", "docs.jsonl", "--base-url", endpoint().url, "--reasoning", "--review-below", "0").code == 0
    )
    assert all(row["reasoning"] for row in views(llmbatch.folder / "docs.llmbatch")["results"])


def test_an_empty_input_is_not_an_error(llmbatch: Program, endpoint: StartEndpoint) -> None:
    (llmbatch.folder / "docs.jsonl").touch()
    done = llmbatch("classify", "docs.jsonl", "--base-url", endpoint().url, "--json")
    assert (done.code, done.json["rows"]["total"]) == (0, 0)


def test_run_folders_are_private(llmbatch: Program, endpoint: StartEndpoint) -> None:
    write_rows(llmbatch.folder / "docs.jsonl", documents(2))
    llmbatch("classify", "docs.jsonl", "--base-url", endpoint().url)
    run = llmbatch.folder / "docs.llmbatch"
    assert run.stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in run.iterdir())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["classify", "nowhere.jsonl", "--offline"], "nowhere.jsonl"),
        (["classify", "docs.docx", "--offline"], "docs.docx"),
        (["classify", "docs.jsonl"], "OPENAI_API_KEY"),
        (["classify", "docs.jsonl", "--offline", "--prompt", "nothing"], "nothing"),
        (["classify", "docs.jsonl", "--offline", "--sample", "lots"], "lots"),
        (["classify", "docs.jsonl", "--offline", "--max-failed", "-1"], "-1"),
        (["classify", "docs.jsonl", "--offline", "--fault", "fire=5%"], "fire"),
        (["classify", "docs.jsonl", "--offline", "--text-field", "nope", "--strict"], "nope"),
        (["classify", "docs.jsonl", "--base-url", "ftp://x"], "base URL"),
        (["classify", "headless.csv", "--offline"], "--no-header"),
        (["classify", "titled.csv", "--offline"], "--skip-lines 2"),
        (["classify", "western.csv", "--offline"], "--encoding cp1252"),
        (["classify", "docs.jsonl", "--offline", "--price", "1"], "amounts"),
        (["retry", "nowhere"], "run folder"),
        (["show", "nowhere"], "run folder"),
        (["export", "nowhere"], "run folder"),
    ],
)
def test_a_usage_error_is_one_line_and_exits_with_2(llmbatch: Program, arguments: list[str], said: str) -> None:
    write_rows(llmbatch.folder / "docs.jsonl", documents(1))
    (llmbatch.folder / "docs.docx").touch()
    (llmbatch.folder / "headless.csv").write_text("1,Where is my parcel now?\n2,I want my money back\n")
    (llmbatch.folder / "titled.csv").write_text("Export of today\n2 records\nid;text\n1;a\n2;b\n")
    (llmbatch.folder / "western.csv").write_text("id,text\n1,grün\n2,schön\n3,über\n", encoding="cp1252")
    done = llmbatch(*arguments)
    assert done.code == 2, done.err
    assert said in done.err
    assert "Traceback" not in done.err
    assert done.out == ""
    assert not list(llmbatch.folder.glob("*.llmbatch")), "a run that never started leaves no folder"


def test_a_relative_run_can_be_shown_from_its_path(llmbatch: Program, tmp_path: Path, endpoint: StartEndpoint) -> None:
    write_rows(llmbatch.folder / "docs.jsonl", documents(3))
    llmbatch("classify", "docs.jsonl", "--base-url", endpoint().url)
    other = Program(tmp_path / "docs.llmbatch")
    assert other("show", ".", "--json").json["rows"]["total"] == 3
