"""Keyword options: those of the command line, with the same rules."""

import logging
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmbatch import Options, classify
from llmbatch.api.options import named, run_options
from llmbatch.cli.commands import load
from llmbatch.core.errors import UsageError
from llmbatch.core.rows import Truncation
from llmbatch.provider.retry import RetryPolicy
from llmbatch.runs.options import RunOptions, Tolerance
from llmbatch.runs.outputs import Sample
from tests.api.calling import options
from tests.e2e.conftest import StartEndpoint

OF_THE_SCREEN = {"verbose", "help_all", "profile", "inputs", "confirm_above", "yes", "json", "quiet"}


def made(**given: Any) -> RunOptions:
    return run_options(named("classify", given), inputs=("docs.jsonl",), out=None)


def test_every_command_line_option_exists() -> None:
    of_the_command = {parameter.name for parameter in load("classify").params}
    assert of_the_command - set(Options.__annotations__) == OF_THE_SCREEN


def test_patience_sets_all_retry_options() -> None:
    low, normal, high = (made(patience=patience).sending for patience in ("low", "normal", "high"))
    assert normal == made().sending
    for quick, slow in ((low, normal), (normal, high)):
        assert quick.policy.attempts < slow.policy.attempts
        assert quick.policy.wait_max_s < slow.policy.wait_max_s
        assert quick.policy.max_wait_s < slow.policy.max_wait_s
        assert quick.policy.reasks < slow.policy.reasks
        assert quick.grace_s < slow.grace_s
        for tier in (None, "flex"):
            assert quick.request_timeout_s(tier) < slow.request_timeout_s(tier)


def test_explicit_options_override_patience() -> None:
    sending = made(patience="high", attempts=1, max_wait=7, reask=0, grace=0, timeout=2, retry_wait_max=9).sending
    assert (sending.policy.attempts, sending.policy.max_wait_s, sending.policy.reasks) == (1, 7.0, 0)
    assert (sending.policy.wait_max_s, sending.grace_s, sending.request_timeout_s("flex")) == (9.0, 0.0, 2.0)
    with pytest.raises(UsageError, match="patience='higher': must be one of 'low', 'normal', 'high'"):
        made(patience="higher")
    with pytest.raises(UsageError, match="--retry-wait-min 20 is more than --retry-wait-max 15"):
        made(patience="low", retry_wait_min=20)


def test_python_values_match_command_line_values() -> None:
    given = made(
        text_field=["title", "body, long"],
        keep="a,b",
        concurrency=8,
        max_failed=3,
        sample=50,
        seed=2,
        truncate="head-tail",
        fault="refusal@1",
        offline=True,
        max_cost=0.5,
        spend_store="off",
        timeout=3,
        task=Path("spam.toml"),
        stop_at_failures="30%",
        delimiter=";",
        encoding="cp1252",
        no_header=True,
        skip_lines=2,
    )
    reading = given.reading
    assert (reading.delimiter, reading.encoding, reading.has_header, reading.skip_lines) == (";", "cp1252", False, 2)
    assert given.reading.text_fields == ("title", "body, long")
    assert given.keep == ("a,b",), "which fields exist is known only from the input"
    assert (given.sending.concurrency, given.sending.timeout_s) == (8, 3.0)
    assert (given.max_failed, given.sample) == (Tolerance(count=3), Sample(count=50, seed=2))
    assert given.choice.truncate is Truncation.HEAD_TAIL
    assert given.sending.offline_arguments == ("--fault", "refusal@1")
    assert given.sending.budget.max_cost_nanousd == 500_000_000
    assert given.task == "spam.toml"


def test_old_option_names_still_work() -> None:
    old = made(text_fields=("a",), timeout_s=3, max_cost_usd=1, spend_store="off", retries=RetryPolicy(attempts=2))
    new = made(text_field="a", timeout=3.0, max_cost=1.0, spend_store="off", attempts=2)
    assert old == new
    assert made(reuse="answers.db").reuse == made(reuse=True, reuse_store="answers.db").reuse


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({"timeout": 0}, "timeout"),
        ({"timeout": float("inf")}, "timeout"),
        ({"timeout": "long"}, "timeout"),
        ({"max_cost": float("nan")}, "max_cost"),
        ({"max_cost": -1}, "max_cost"),
        ({"max_cost": True}, "max_cost"),
        ({"attempts": 1.5}, "attempts"),
        ({"review_below": 50}, "review_below"),
        ({"concurrency": 0}, "concurrency"),
        ({"truncate": "middle"}, "truncate"),
        ({"offline": "yes"}, "offline"),
        ({"model": ["a"]}, "model"),
        ({"model": "a\0"}, "model"),
        ({"out": ""}, "out"),
        ({"out": "a\0b"}, "out"),
        ({"out": 5}, "out"),
        ({"model": "gpt-\udcff"}, "is not UTF-8"),
        ({"reasoning_effort": "\ud800"}, "is not UTF-8"),
        ({"model": float("nan")}, "nan"),
        ({"spend_store": float("nan")}, "nan"),
        ({"text_field": 5}, "text_field"),
        ({"text_field": {"title": "body"}}, "text_field"),
        ({"keep": b"title"}, "keep"),
        ({"keep": ["title", None]}, "keep"),
        ({"fault": 5, "offline": True}, "fault"),
        ({"retries": 3}, "retries"),
        ({"sample": "many"}, "many"),
        ({"max_failed": -1}, "max-failed"),
        ({"fault": ["nonsense"], "offline": True}, "nonsense"),
        ({"deadline": "soon"}, "deadline"),
        ({"retry_wait_min": 9, "retry_wait_max": 1}, "retry-wait-min"),
    ],
)
def test_an_invalid_value_is_refused(given: dict[str, Any], shown: str, tmp_path: Path) -> None:
    given = {"out": tmp_path / "run", **given}
    with pytest.raises(UsageError, match=shown):
        classify(["A court."], base_url="http://127.0.0.1:9", **given)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("option", ["out", "log_file", "metrics_file", "calibration", "baseline", "task"])
@pytest.mark.parametrize("path", ["n" * 300, "/".join(["p" * 99] * 50), "file/below", "loop/below"])
def test_a_path_refused_by_the_system_is_a_usage_error(
    option: str, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(UsageError):
        classify(["A court."], offline=True, **{option: path})  # type: ignore[arg-type]


def test_an_error_from_the_callers_iterator_is_raised_unchanged(tmp_path: Path) -> None:
    def texts() -> Iterator[str]:
        yield "A court."
        (tmp_path / "missing").read_text()

    with pytest.raises(FileNotFoundError):
        classify(texts(), offline=True)


def test_names_may_come_from_a_generator() -> None:
    given = named("classify", {"keep": (name for name in ("title", "body"))})
    assert [run_options(given, inputs=(), out=None).keep for _ in range(2)] == [("title", "body")] * 2


def test_an_unknown_name_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="max_costs"):
        classify(["A court."], max_costs=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="two names"):
        classify(["A court."], max_cost=1, max_cost_usd=1)


def test_a_misspelt_name_gets_a_suggestion() -> None:
    with pytest.raises(TypeError, match="'max_cots'; did you mean 'max_cost'"):
        classify(["a"], max_cots=5)  # type: ignore[call-arg]


def test_progress_must_be_a_boolean_or_a_function() -> None:
    with pytest.raises(UsageError, match="progress='yes'"):
        classify(["a"], offline=True, progress="yes")  # type: ignore[arg-type]


def test_a_script_is_silent_but_for_warnings(
    tmp_path: Path, endpoint: StartEndpoint, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    server = endpoint()
    with caplog.at_level(logging.WARNING, logger="llmbatch"):
        classify(["A court."], **options(server.url, tmp_path / "a"))
    assert capfd.readouterr() == ("", "")
    classify(["A court."], **options(server.url, tmp_path / "b"), progress=True)
    assert "Z " in capfd.readouterr().err
    log = tmp_path / "log.jsonl"
    classify(["A court."], **options(server.url, tmp_path / "c"), log_file=log)
    assert log.read_text().startswith("{")


def test_the_service_tier_is_validated_as_on_the_command_line() -> None:
    assert made(service_tier="flex").choice.service_tier == "flex"
    with pytest.raises(UsageError, match="flex"):
        made(service_tier="flx")


def test_a_traceback_shows_the_hint() -> None:
    with pytest.raises(UsageError) as caught:
        classify(["a"], offline=True, sample="200%")
    assert traceback.format_exception_only(caught.value)[-1] == f"{caught.value.hint}\n"
