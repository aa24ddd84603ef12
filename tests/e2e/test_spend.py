"""`llmbatch spend` and `show --by`: every grouping adds up to the same total."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from llmbatch.analysis.spent import spend_report
from llmbatch.core.errors import UsageError
from llmbatch.runs.spend_stores import SpendPlace
from llmbatch.spend.report import Period, report_json
from tests.e2e.program import Program, documents, write_rows


def costs(report: dict[str, Any]) -> dict[str, float]:
    return {group[report["by"]]: group["cost_usd"] for group in report["groups"]}


def test_every_grouping_adds_up_to_the_same_total(tmp_path: Path) -> None:
    llmbatch = Program(tmp_path, {"LLMBATCH_SPEND_STORE": str(tmp_path / "spend")})
    rows = [row | {"source": "mail" if n % 3 else "web"} for n, row in enumerate(documents(12))]
    rows.append(rows[0] | {"id": "again", "source": "fax"})  # the same text as a web row, which pays for both
    docs = write_rows(llmbatch.folder / "docs.jsonl", [b"not json", *rows])

    def spend(by: str) -> dict[str, Any]:
        today = datetime.now(UTC).date()
        return report_json(spend_report(SpendPlace(tmp_path / "spend"), by, Period(today, today), offline=True))

    run = llmbatch("classify", "docs.jsonl", "--offline", "--json")
    total = run.json["usage"]["cost_usd"]
    for by in ("day", "model", "prompt", "run", "label"):
        report = spend(by)
        assert sum(costs(report).values()) == pytest.approx(total), by
        assert report["total"]["rows"] == 13
    by_source = costs(llmbatch("spend", "--offline", "--by", "source", "--json").json)
    assert sum(by_source.values()) == pytest.approx(total)
    assert by_source["fax"] == 0 < min(by_source["web"], by_source["mail"])
    assert "$0 from" in llmbatch("spend").out, "simulated cost is recorded separately"

    write_rows(docs, [{"id": "first", "text": "An inserted row.", "source": "new"}, *rows[1:]])
    shown = costs(llmbatch("show", "docs.offline.llmbatch", "--by", "source", "--json").json)
    assert shown["mail"] == by_source["mail"], "rows are found in their new place"
    assert sum(shown.values()) == pytest.approx(total)
    no_field = llmbatch("show", "docs.offline.llmbatch", "--by", "sauce")
    assert no_field.code == 2
    assert "the first row has id, source, text" in no_field.err
    with pytest.raises(UsageError, match="--by sauce: no run in this period has such a field"):
        spend("sauce")

    docs.unlink()
    gone = spend("source")
    assert costs(gone) == {"(not in any run folder)": pytest.approx(total)}
    assert "docs.jsonl" in gone["notes"][0]
