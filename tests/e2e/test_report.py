"""The page of a real run."""

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
