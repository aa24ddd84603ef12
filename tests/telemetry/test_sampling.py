"""Which rows get a trace span."""

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.core.ledger_line import LedgerLine, Status
from llmbatch.telemetry.sampling import RowSampling, row_sampling


def line(number: int, status: Status = "ok") -> LedgerLine:
    key = f"{(number * 0x9E3779B97F4A7C15) % (1 << 64):016x}{0:016x}"
    return LedgerLine(
        row=number, id=number, key=key, status=status, prompt="p", model="m", started_at="2026-11-24T12:00:00.000000Z"
    )


def taken(sampling: RowSampling | None, lines: list[LedgerLine]) -> int:
    return 0 if sampling is None else sum(sampling.takes(line) for line in lines)


ROWS = [line(n) for n in range(20_000)]
FAILED = [line(n, "failed") for n in range(20_000)]


def test_a_small_run_is_traced_completely_and_a_large_one_is_sampled() -> None:
    assert taken(row_sampling({}), ROWS[:60]) == 60
    assert 250 < taken(row_sampling({}), ROWS) < 350
    assert 1_100 <= taken(row_sampling({}), FAILED) < 1_400


@pytest.mark.parametrize(
    ("sampler", "argument", "low", "high"),
    [
        ("always_on", "", 20_000, 20_000),
        ("parentbased_always_on", "", 20_000, 20_000),
        ("always_off", "", 0, 0),
        ("traceidratio", "0.1", 1_900, 2_100),
        ("parentbased_traceidratio", "0", 0, 0),
        ("traceidratio", "", 20_000, 20_000),
    ],
)
def test_the_standard_variables_control_row_sampling(sampler: str, argument: str, low: int, high: int) -> None:
    sampling = row_sampling({"OTEL_TRACES_SAMPLER": sampler, "OTEL_TRACES_SAMPLER_ARG": argument})
    assert low <= taken(sampling, FAILED) <= high


def test_the_same_rows_are_sampled_every_time() -> None:
    wanted = {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.05"}
    first, second = row_sampling(wanted), row_sampling(wanted)
    assert first is not None
    assert second is not None
    assert [first.takes(row) for row in ROWS[:500]] == [second.takes(row) for row in ROWS[:500]]


@pytest.mark.parametrize(("sampler", "argument"), [("xray", ""), ("traceidratio", "2"), ("traceidratio", "half")])
def test_an_unknown_sampler_is_a_usage_error(sampler: str, argument: str) -> None:
    with pytest.raises(UsageError, match="OTEL_TRACES_SAMPLER"):
        row_sampling({"OTEL_TRACES_SAMPLER": sampler, "OTEL_TRACES_SAMPLER_ARG": argument})


def test_an_invalid_sampler_argument_is_reported_with_its_bounds() -> None:
    with pytest.raises(UsageError, match=r"^OTEL_TRACES_SAMPLER_ARG 'half' is not a number from 0 to 1$"):
        row_sampling({"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "half"})
