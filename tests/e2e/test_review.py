"""Review as people do it: through the command line."""

import csv
import json

from tests.e2e.program import Program, documents, views, write_rows


def test_rows_go_out_to_a_spreadsheet_and_come_back_decided(llmbatch: Program) -> None:
    write_rows(llmbatch.folder / "docs.jsonl", documents(6))
    llmbatch("classify", "docs.jsonl", "--offline", "--review-below", "1", "--sample", "2", "--quiet")
    out = llmbatch("review", "export", "docs.llmbatch", "--out", "todo.csv")
    assert (out.code, out.out, out.err) == (0, "", "6 rows in todo.csv\n")
    with (llmbatch.folder / "todo.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    filled = [{**row, "decision": "marketing"} for row in rows[:4]]
    write_rows(llmbatch.folder / "bad.jsonl", [*filled, {"id": "d-0", "decision": "spam"}])
    refused = llmbatch("review", "import", "docs.llmbatch", "bad.jsonl", "--reviewer", "ana")
    assert (refused.code, refused.err.splitlines()[:2]) == (
        2,
        ["line 5: 'spam' is not a label of the task", "nothing was imported: 1 line refused"],
    )
    write_rows(llmbatch.folder / "good.jsonl", filled)
    assert (
        llmbatch("review", "import", "docs.llmbatch", "good.jsonl", "--reviewer", "ana").err == "4 decisions imported\n"
    )
    found = views(llmbatch.folder / "docs.llmbatch")
    assert [(row["category"], row["reviewer"]) for row in found["results"]] == [("marketing", "ana")] * 4
    assert len(found["review"]) == 2
    status = llmbatch("review", "status", "docs.llmbatch", "--json").json
    assert (status["waiting"], status["reviewed"], status["reviewers"]) == (2, 4, {"ana": 4})
    gold = llmbatch("review", "export", "docs.llmbatch", "--decided", "--format", "jsonl").out.splitlines()
    assert {json.loads(line)["label"] for line in gold} == {"marketing"}
