"""Many workers under one limit and one budget: the table of docs/explanation/scale.md.

python -m benchmarks.scale
"""

from tests.engine.many_workers import Came, Scenario, simulated

SCENARIOS = (
    Scenario("4 workers, 6,000 a minute", workers=4, per_minute=6_000, at_once=64),
    Scenario("16 workers, 30,000 a minute", workers=16, at_once=64),
    Scenario("64 workers, 30,000 a minute"),
    Scenario("256 workers, 30,000 a minute", workers=256, at_once=8),
    Scenario("64 workers, nothing shared", is_shared=False),
    Scenario("64 workers, 8 of them killed and started again", killed=8),
    Scenario("64 workers, a disk that syncs in 18 ms", book_s=0.018),
    Scenario("64 workers, a budget of $15", budget_usd=15, seconds=150),
    Scenario(
        "64 workers, each with an endpoint of its own of 10,000 a minute",
        per_minute=10_000,
        own_limits=True,
        at_once=220,
        seconds=12,
    ),
)


def main() -> None:
    """Print the table."""
    print("| workers and limit | of the limit | refused | rate store | spend store | busy | slowest 1% | budget |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for scenario in SCENARIOS:
        print(_line(simulated(scenario)), flush=True)


def _line(came: Came) -> str:
    budget = f"${came.billed_usd:,.2f} spent"
    if came.rest_s:
        budget += f", ${came.unused_usd:,.4f} left; the last tenth in {came.rest_s:,.0f} s"
    used = f"{came.used:.1%}"
    if came.scenario.killed:
        used += f", {came.rate_while_killed:.1%} meanwhile"
    return (
        f"| {came.scenario.name} | {used} | {came.refused:.2%} | {came.rate_calls_per_s:,.0f}/s |"
        f" {came.book_calls_per_s:,.0f}/s | {came.book_busy:.0%} | {came.book_slow_s * 1000:,.0f} ms | {budget} |"
    )


if __name__ == "__main__":
    main()
