"""Canaries, escalation and drift, as a user would try them before a long run."""

from tests.e2e.conftest import StartEndpoint
from tests.e2e.program import Program, documents, views, write_rows

DOUBT = "0.97"


def test_a_canary_is_shown_beside_the_control_and_promoted(llmbatch: Program, endpoint: StartEndpoint) -> None:
    served = ("--base-url", endpoint().url)
    write_rows(llmbatch.folder / "docs.jsonl", documents(120))
    assert llmbatch("prompt", "init", "old.toml", "-l", "technical", "-l", "business", "-l", "legal").code == 0
    old = (llmbatch.folder / "old.toml").read_text()
    new = old.replace("Label each document by", "Say of each document") + "# on trial\n"
    (llmbatch.folder / "new.toml").write_text(new)
    command = ("classify", "docs.jsonl", "--prompt", "old.toml", *served, "--json")
    done = llmbatch(*command, "--canary-prompt", "new.toml", "--canary-share", "40%")
    canary = done.json["canary"]
    assert canary["dropped"] is None
    assert canary["arms"]["canary"]["rows"] + canary["arms"]["control"]["rows"] == 120
    assert 25 <= canary["arms"]["canary"]["rows"] <= 75
    assert "on trial" in llmbatch("canary", "report", "docs.llmbatch").out
    promoted = llmbatch("canary", "promote", "docs.llmbatch")
    assert (promoted.code, promoted.out.strip()) == (0, "old.toml")
    assert (llmbatch.folder / "old.toml").read_text() == new
    assert (llmbatch.folder / "old.before-1.toml").read_text() == old


def test_a_bad_canary_is_dropped_and_no_row_loses_its_label(llmbatch: Program, endpoint: StartEndpoint) -> None:
    server = endpoint("--fault", "invented=25%", "--faulty-model", "gpt-6-nano")
    write_rows(llmbatch.folder / "docs.jsonl", documents(700))
    command = ("classify", "docs.jsonl", "--base-url", server.url, "--reask", "0", "--json")
    done = llmbatch(*command, "--canary-model", "gpt-6-nano", "--canary-share", "50%")
    assert (done.code, done.json["rows"]["total"], done.json["failures"]) == (0, 700, {})
    assert "gave no usable answer" in done.json["canary"]["dropped"]
    assert done.json["canary"]["arms"]["canary"]["rows"] < 320
    assert "the canary is dropped" in done.err


def test_doubtful_rows_go_to_a_stronger_model_before_review(llmbatch: Program, endpoint: StartEndpoint) -> None:
    served = ("--base-url", endpoint().url)
    write_rows(llmbatch.folder / "docs.jsonl", documents(40))
    command = ("classify", "docs.jsonl", *served, "--review-below", DOUBT, "--json")
    before = llmbatch(*command).json["rows"]["review"]
    assert before
    done = llmbatch(*command, "--escalate-to", "gpt-5.4")
    escalation = done.json["escalation"]
    assert (escalation["model"], escalation["rows"]) == ("gpt-5.4", before)
    assert done.json["session"]["requests"] == before, "the others are not sent again"
    assert llmbatch(*command, "--escalate-to", "gpt-5.4").json["session"]["requests"] == 0
    labelled = views(llmbatch.folder / "docs.llmbatch")
    assert len(labelled["results"]) + len(labelled["review"]) == 40


def test_another_stronger_model_gets_the_rows_still_in_doubt_and_none_twice(
    llmbatch: Program, endpoint: StartEndpoint
) -> None:
    served = ("--base-url", endpoint().url)
    write_rows(llmbatch.folder / "docs.jsonl", documents(20))
    command = ("classify", "docs.jsonl", *served, "--review-below", "1", "--json", "--escalate-to")
    first = llmbatch(*command, "gpt-5.4-mini").json
    assert first["escalation"]["rows"] == 20
    second = llmbatch(*command, "gpt-5.4").json
    asked = second["session"]["requests"]
    assert asked == first["rows"]["review"]
    assert (second["escalation"]["model"], second["escalation"]["rows"]) == ("gpt-5.4", asked)
    assert not [note for note in second["notes"] if "another model" in note]
    for model, rows in (("gpt-5.4-mini", 20), ("gpt-5.4", asked)):
        again = llmbatch(*command, model).json
        assert (again["session"]["requests"], again["escalation"]["rows"]) == (0, rows)
    retried = llmbatch("retry", "docs.llmbatch", "--review", "--model", "gpt-6-nano", *served, "--json").json
    assert retried["session"]["requests"]
    assert not [note for note in retried["notes"] if "another model" in note]


def test_a_row_whose_stronger_model_fails_counts_as_answered_not_reused(
    llmbatch: Program, endpoint: StartEndpoint
) -> None:
    server = endpoint("--fault", "refusal=100%", "--faulty-model", "gpt-5.4")
    write_rows(llmbatch.folder / "docs.jsonl", documents(6))
    command = ("classify", "docs.jsonl", "--base-url", server.url, "--review-below", "1", "--escalate-to", "gpt-5.4")
    done = llmbatch(*command, "--json").json
    assert (done["rows"]["review"], done["session"]["reused"]) == (6, 0)


def test_a_canary_s_answers_are_not_requested_again_once_it_is_promoted(
    llmbatch: Program, endpoint: StartEndpoint
) -> None:
    server = endpoint()
    write_rows(llmbatch.folder / "docs.jsonl", documents(40))
    assert llmbatch("prompt", "init", "old.toml", "-l", "technical", "-l", "business", "-l", "legal").code == 0
    old = (llmbatch.folder / "old.toml").read_text()
    (llmbatch.folder / "new.toml").write_text(old.replace("Label each document by", "Say of each document"))
    command = ("classify", "docs.jsonl", "--prompt", "old.toml", "--base-url", server.url, "--json")
    experiments = (*command, "--canary-prompt", "new.toml", "--canary-model", "gpt-5.4", "--canary-share", "50%")
    done = llmbatch(*experiments)
    canary = done.json["canary"]["arms"]["canary"]["rows"]
    assert (server.requests, done.json["usage"]["requests"]) == (40, 40)
    assert (done.json["session"]["reused"], llmbatch(*experiments).json["session"]["requests"]) == (0, 0)
    assert llmbatch("canary", "promote", "docs.llmbatch").code == 0
    over = llmbatch(*command, "--model", "gpt-5.4")
    assert (over.code, over.json["session"]["requests"]) == (0, 40 - canary)
    assert over.json["session"]["skipped"] == canary
    assert (over.json["rows"]["undone"], server.requests) == (0, 80 - canary)
    assert llmbatch(*command, "--model", "gpt-5.4").json["session"]["requests"] == 0


def test_drift_from_an_earlier_run_is_reported_and_can_fail_the_command(
    llmbatch: Program, endpoint: StartEndpoint
) -> None:
    served = ("--base-url", endpoint().url)
    write_rows(llmbatch.folder / "old.jsonl", documents(150))
    write_rows(
        llmbatch.folder / "new.jsonl",
        [{"id": n, "text": f"Revenue and profit rose in quarter {n}."} for n in range(150)],
    )
    assert llmbatch("classify", "old.jsonl", *served).code == 0
    command = ("classify", "new.jsonl", *served, "--baseline", "old.llmbatch", "--json")
    done = llmbatch(*command)
    assert (done.code, done.json["drift"]["significant"][0]) == (0, "label shares")
    assert llmbatch(*command, "--fail-on-drift").code == 3
    shown = llmbatch("show", "new.llmbatch", "--against", "old.llmbatch")
    assert "shifted significantly" in shown.out
    assert llmbatch("show", "old.llmbatch", "--against", "old.llmbatch", "--json").json["drift"]["significant"] == []


def test_calibrating_a_run_later_is_not_drift(llmbatch: Program, endpoint: StartEndpoint) -> None:
    served = ("--base-url", endpoint().url)
    texts = [f"{what} {n}" for n in range(60) for what in ("The invoice is overdue.", "The server is down.", "Hello.")]
    docs = [{"id": n, "text": text, "label": "technical" if n % 3 else "legal"} for n, text in enumerate(texts)]
    write_rows(llmbatch.folder / "docs.jsonl", docs)
    assert llmbatch("prompt", "init", "task.toml", "-l", "technical", "-l", "business", "-l", "legal").code == 0
    classify = ("classify", "docs.jsonl", *served, "--prompt", "task.toml", "--json")
    assert llmbatch(*classify).code == 0
    calibrated = llmbatch("calibrate", "docs.llmbatch", "--gold", "docs.jsonl", "--label-field", "label")
    assert calibrated.code == 0, calibrated.err
    other = llmbatch(*classify, "--out", "other", "--baseline", "docs.llmbatch")
    assert other.json["drift"]["significant"] == [], "although the baseline is not calibrated yet"
    again = llmbatch(*classify)
    assert again.json["session"]["requests"] == 0
    shown = llmbatch("show", "docs.llmbatch", "--against", "other", "--json")
    assert shown.json["drift"]["significant"] == [], "nor in the other direction"
