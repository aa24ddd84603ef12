"""The report page of a real run."""

import json
import re

from llmbatch import classify
from llmbatch.report.from_run import report_run
from tests.e2e.conftest import StartEndpoint
from tests.e2e.program import Program, documents, write_rows


def test_a_run_becomes_one_private_file_that_shows_what_to_look_at(llmbatch: Program, endpoint: StartEndpoint) -> None:
    docs, run = llmbatch.folder / "docs.jsonl", llmbatch.folder / "run"
    write_rows(docs, [*documents(9), b"bad", {"id": "x", "text": "</script> Revenue rose."}])
    server = endpoint("--fault", "refusal@4")
    classify(docs, base_url=server.url, out=run, concurrency=1, review_below=1.0)
    done = llmbatch("report", "run", "--out", "page.html")
    assert (done.code, done.out) == (0, "page.html\n"), done.err
    path = llmbatch.folder / "page.html"
    assert path.stat().st_mode & 0o777 == 0o600
    html = path.read_text()
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', html)
    cases = json.loads(data)
    assert sorted(case["row"] for case in cases) == list(range(11))
    assert {case["kind"] for case in cases} == {"review", "refusal", "bad_json"}
    assert "</script> Revenue rose." in {case["text"] for case in cases}
    docs.unlink()
    assert "Counts of the last session" in report_run(run).read_text()


def test_runs_over_several_nights_become_one_page(llmbatch: Program) -> None:
    gold = llmbatch.folder / "gold.csv"
    write_rows(llmbatch.folder / "first.jsonl", documents(9))
    write_rows(llmbatch.folder / "second.jsonl", [{"id": f"s{n}", "text": "A court."} for n in range(4)])
    gold.write_text("id,label\ns0,legal\ns1,other\n")
    for name in ("first", "second"):
        classify(llmbatch.folder / f"{name}.jsonl", offline=True, out=llmbatch.folder / name, spend_store="off")
    done = llmbatch("report", "second", "first", "--gold", "gold.csv")
    assert (done.code, done.out) == (0, "runs.html\n"), done.err
    path = llmbatch.folder / "runs.html"
    assert path.stat().st_mode & 0o777 == 0o600
    html = path.read_text()
    assert html.index(">first<") < html.index(">second<"), "in the order of time"
    assert "Right labels" in html
    assert "50.0% (" in html
    assert "script-src &#39;none&#39;" in html
    assert "A court." not in html


def test_unrelated_runs_are_refused(llmbatch: Program) -> None:
    docs = llmbatch.folder / "docs.jsonl"
    write_rows(docs, documents(3))
    (llmbatch.folder / "gold.csv").write_text("id,label\nnobody,legal\n")
    for name, task in (("one", "default"), ("two", "default"), ("other", "ag_news")):
        classify(docs, task=task, offline=True, out=llmbatch.folder / name, spend_store="off")
    refused = llmbatch("report", "one", "other")
    assert (refused.code, "other has 'ag_news'" in refused.err) == (2, True)
    refused = llmbatch("report", "one", "two", "--gold", "gold.csv")
    assert (refused.code, "in any of the runs" in refused.err) == (2, True)
    refused = llmbatch("report", "one", "two", "--input", "docs.jsonl")
    assert (refused.code, "one run" in refused.err) == (2, True)
    assert llmbatch("report", "one", "nowhere").code == 2
    assert not (llmbatch.folder / "runs.html").exists()
