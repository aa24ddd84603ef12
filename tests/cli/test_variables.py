"""Unknown LLMBATCH_ environment variables are never ignored silently."""

import pytest

from llmbatch.cli.commands import SUMMARIES
from llmbatch.cli.variables import check_variables
from llmbatch.core.errors import UsageError
from tests.e2e.program import Program


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("LLMBATCH_MAX_COSTS", "did you mean LLMBATCH_MAX_COST?"),
        ("LLMBATCH_DAILYBUDGET", "did you mean LLMBATCH_DAILY_BUDGET?"),
        ("llmbatch_max_cost", "did you mean LLMBATCH_MAX_COST?"),
        ("LLMBATCH_CONFIRM_ABOV", "did you mean LLMBATCH_CONFIRM_ABOVE?"),
        ("LLMBATCH_", "unset LLMBATCH_"),
        ("LLMBATCH_XYZZY", "unset LLMBATCH_XYZZY"),
    ],
)
def test_a_misspelt_variable_is_reported_with_a_suggestion(name: str, advice: str) -> None:
    for command in SUMMARIES:
        with pytest.raises(UsageError, match=name) as error:
            check_variables({name: "1", "LLMBATCH_QUIET": "1", "PATH": "/bin"}, [command])
        assert error.value.hint == advice, command


def test_variables_of_other_commands_and_of_alerts_are_known() -> None:
    names = ("LLMBATCH_MAX_COST", "LLMBATCH_CANARY_TO", "LLMBATCH_SIMULATE_PORT", "LLMBATCH_ALERT_SPENT_USD")
    check_variables(dict.fromkeys((*names, "OPENAI_API_KEY", "LLM_BATCH"), "1"), ["spend"])


def test_each_unknown_variable_is_reported() -> None:
    with pytest.raises(UsageError, match="LLMBATCH_A_B, LLMBATCH_C_D"):
        check_variables({"LLMBATCH_C_D": "", "LLMBATCH_A_B": "1"}, [])


@pytest.mark.parametrize("arguments", [("--help",), ("classify", "--help"), ("prompt", "check", "-h"), ("--version",)])
def test_help_is_shown_together_with_the_error(llmbatch: Program, arguments: tuple[str, ...]) -> None:
    done = llmbatch(*arguments, LLMBATCH_MAX_COSTS="0.01")
    assert (done.code, bool(done.out)) == (2, True)
    assert "did you mean LLMBATCH_MAX_COST?" in done.err


def test_a_command_is_not_run_with_an_unknown_variable(llmbatch: Program) -> None:
    done = llmbatch("prompt", "init", "new.toml", LLMBATCH_MAX_COSTS="0.01")
    assert done.code == 2
    assert not (llmbatch.folder / "new.toml").exists()


def test_a_variable_whose_value_is_refused_is_named(llmbatch: Program) -> None:
    done = llmbatch("classify", "docs.jsonl", "--offline", LLMBATCH_TIMEOUT="nan")
    assert done.code == 2
    assert "'--timeout'" in done.err
    assert "Set by the environment variable LLMBATCH_TIMEOUT" in done.err
    assert "environment" not in llmbatch("classify", "docs.jsonl", "--offline", "--timeout", "nan").err
