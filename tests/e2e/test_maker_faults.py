"""Faults in other providers' wording, through the real client: each is classified correctly."""

from collections import Counter

import pytest

from tests.e2e.conftest import StartEndpoint
from tests.e2e.program import Program, documents, write_rows
from tests.e2e.test_dialects import kinds, ledger


@pytest.mark.parametrize(
    ("kind", "outcome", "code"),
    [
        ("moderation", "filtered", 3),
        ("content_risk", "filtered", 3),
        ("firewall", "refused", 3),
        ("context_size", "too_long", 3),
        ("loading", None, 0),
        ("error_in_answer", None, 0),
        ("no_choices", "filtered", 3),
        ("thinking", None, 0),
        ("thinking_unclosed", None, 0),
        ("eos_token", None, 0),
        ("broken_off", None, 0),
        ("decorated", None, 0),
    ],
)
def test_a_fault_in_a_providers_own_wording_is_classified_correctly(
    llmbatch: Program, endpoint: StartEndpoint, kind: str, outcome: str | None, code: int
) -> None:
    write_rows(llmbatch.folder / "docs.jsonl", documents(3))
    fault = f"{kind}@2+" if outcome == "refused" else f"{kind}@2"
    done = llmbatch("classify", "docs.jsonl", "--base-url", endpoint("--fault", fault).url)
    assert done.code == code, done.err
    failed = {None: 0, "refused": 2}.get(outcome, 1)
    assert kinds(llmbatch) == +Counter({None: 3 - failed, outcome or "": failed})
    if kind == "thinking":
        assert Counter(line["parse"] for line in ledger(llmbatch)) == {"clean": 2, "repaired": 1}


def test_credits_that_run_out_inside_a_200_stop_the_run(llmbatch: Program, endpoint: StartEndpoint) -> None:
    write_rows(llmbatch.folder / "docs.jsonl", documents(3))
    done = llmbatch("classify", "docs.jsonl", "--base-url", endpoint("--fault", "credits_in_answer@2+").url)
    assert done.code == 4
    assert "requires more credits" in done.err
