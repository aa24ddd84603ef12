"""What an endpoint does not report is shown as unknown everywhere, not as 0."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.e2e.program import Done, Program, documents, write_rows
from tests.e2e.scripted import answer, scripted

SILENT_OF_CACHE = {"prompt_tokens": 1700, "completion_tokens": 12, "total_tokens": 1712}
NONE_CACHED = SILENT_OF_CACHE | {"prompt_tokens_details": {"cached_tokens": 0}}


@pytest.fixture
def run(llmbatch: Program) -> Program:
    write_rows(llmbatch.folder / "docs.jsonl", documents(5))
    return Program(llmbatch.folder, {"OPENAI_API_KEY": "k", "LLMBATCH_SPEND_STORE": "spend.sqlite3"})


def classified(run: Program, usage: Mapping[str, Any], *arguments: str) -> Done:
    with scripted(lambda _: answer(usage=usage)) as endpoint:
        url = ("--base-url", endpoint.url, "--model", "m", "--price", "1,0.1,2")
        return run("classify", "docs.jsonl", *url, *arguments)


def page(run: Program) -> str:
    assert run("report", "docs.llmbatch").code == 0
    return (run.folder / "docs.llmbatch" / "report.html").read_text()


def everywhere(run: Program) -> list[str]:
    """The figures of `show`, `spend` and the report page."""
    return [run("show", "docs.llmbatch").out, run("spend").out, page(run)]


def test_unreported_cached_tokens_are_not_0(run: Program) -> None:
    screen = classified(run, SILENT_OF_CACHE)
    assert screen.code == 0, screen.err
    for text in (screen.err, *everywhere(run)):
        assert "not reported" in text
        assert "0% cached" not in text
        assert "0% of the input cached" not in text
    for usage in (run("show", "docs.llmbatch", "--json").json["usage"], run("spend", "--json").json["total"]):
        assert (usage["input_tokens"], usage["cached_input_tokens"], usage["cache_write_tokens"]) == (8_500, None, None)
    assert run("show", "docs.llmbatch", "--json").json["usage"]["cached_share"] is None


def test_a_reported_count_of_0_cached_tokens_is_0(run: Program) -> None:
    screen = classified(run, NONE_CACHED)
    assert "8,500 in (0% cached)" in screen.err
    assert not any("not reported" in text for text in everywhere(run))
    usage = run("show", "docs.llmbatch", "--json").json["usage"]
    assert (usage["cached_input_tokens"], usage["cached_share"]) == (0, 0)
    assert run("spend", "--json").json["total"]["cached_input_tokens"] == 0


def test_unreported_tokens_are_not_0(run: Program) -> None:
    screen = classified(run, {"nothing": 1})
    assert screen.code == 0, screen.err
    for text in (screen.err, *everywhere(run)):
        assert "not reported" in text
        assert "0 in (" not in text
    for usage in (run("show", "docs.llmbatch", "--json").json["usage"], run("spend", "--json").json["total"]):
        assert {usage[name] for name in ("input_tokens", "output_tokens", "cached_input_tokens")} == {None}
        assert usage["possibly_billed_requests"] == 5
