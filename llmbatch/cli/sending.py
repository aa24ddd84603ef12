"""The options that say how requests are sent, and how they become the pipeline's."""

from typing import TYPE_CHECKING, Annotated

import typer

from llmbatch.cli import bounds
from llmbatch.cli.options import BUDGET, SENDING
from llmbatch.core import defaults

if TYPE_CHECKING:
    from llmbatch.engine.sending import Sending

BaseUrl = Annotated[
    str | None,
    typer.Option(
        "--base-url",
        envvar=["LLMBATCH_BASE_URL", "OPENAI_BASE_URL"],
        show_envvar=False,
        rich_help_panel=SENDING,
        help="An OpenAI-compatible endpoint, as https://HOST/v1.",
        show_default="OpenAI's",
    ),
]
ApiVersion = Annotated[
    str | None,
    typer.Option(
        "--api-version",
        envvar="LLMBATCH_API_VERSION",
        show_envvar=False,
        rich_help_panel=SENDING,
        help="Azure OpenAI: ask by deployment, with this API version.",
    ),
]
InsecureHttp = Annotated[
    bool,
    typer.Option(
        "--insecure-http",
        envvar="LLMBATCH_INSECURE_HTTP",
        show_envvar=False,
        rich_help_panel=SENDING,
        help="Send the API key to a public host without encryption.",
    ),
]
Offline = Annotated[
    bool,
    typer.Option(
        "--offline",
        envvar="LLMBATCH_OFFLINE",
        show_envvar=False,
        rich_help_panel=SENDING,
        help="Ask the built-in offline endpoint: no key, no network, no model.",
    ),
]
Fault = Annotated[
    list[str] | None,
    typer.Option(
        "--fault",
        metavar="SPEC",
        envvar="LLMBATCH_FAULT",
        show_envvar=False,
        rich_help_panel=SENDING,
        help="With --offline: a fault of the endpoint, as rate_limit=5%. Repeatable.",
    ),
]
Concurrency = Annotated[
    str,
    typer.Option(
        "--concurrency",
        "-c",
        metavar="N|auto",
        envvar="LLMBATCH_CONCURRENCY",
        show_envvar=False,
        rich_help_panel=SENDING,
        help="Requests under way at once; auto finds the level that the endpoint keeps up with.",
    ),
]
Rpm = Annotated[
    float | None,
    typer.Option(
        "--rpm",
        min=0.001,
        max=bounds.MOST_A_MINUTE,
        envvar="LLMBATCH_RPM",
        show_envvar=False,
        rich_help_panel=SENDING,
        help="Requests a minute.",
        show_default="what the endpoint states",
    ),
]
Tpm = Annotated[
    float | None,
    typer.Option(
        "--tpm",
        min=0.001,
        max=bounds.MOST_A_MINUTE,
        envvar="LLMBATCH_TPM",
        show_envvar=False,
        rich_help_panel=SENDING,
        help="Tokens a minute.",
        show_default="what the endpoint states",
    ),
]
Attempts = Annotated[
    int,
    typer.Option(
        "--attempts",
        min=1,
        max=bounds.MOST_ATTEMPTS,
        envvar="LLMBATCH_ATTEMPTS",
        show_envvar=False,
        rich_help_panel=SENDING,
        help="How often a row is sent before it fails.",
    ),
]
Timeout = Annotated[
    float | None,
    typer.Option(
        "--timeout",
        min=0.001,
        max=bounds.MOST_SECONDS,
        envvar="LLMBATCH_TIMEOUT",
        show_envvar=False,
        rich_help_panel=SENDING,
        help="Seconds that one whole request may take.",
        show_default=f"{defaults.TIMEOUT_S:g}; {defaults.FLEX_TIMEOUT_S:g} with --service-tier flex",
    ),
]
RetryWaitMin = Annotated[
    float,
    typer.Option(
        "--retry-wait-min",
        min=0,
        max=bounds.MOST_SECONDS,
        envvar="LLMBATCH_RETRY_WAIT_MIN",
        show_envvar=False,
        rich_help_panel=SENDING,
        help="Shortest back-off, seconds.",
    ),
]
RetryWaitMax = Annotated[
    float,
    typer.Option(
        "--retry-wait-max",
        min=0,
        max=bounds.MOST_SECONDS,
        envvar="LLMBATCH_RETRY_WAIT_MAX",
        show_envvar=False,
        rich_help_panel=SENDING,
        help="Longest back-off, seconds.",
    ),
]
MaxWait = Annotated[
    float,
    typer.Option(
        "--max-wait",
        min=0,
        max=bounds.MOST_SECONDS,
        envvar="LLMBATCH_MAX_WAIT",
        show_envvar=False,
        rich_help_panel=SENDING,
        help="Longest wait that a server may ask for, seconds; a longer one ends the run with exit code 7.",
    ),
]
Deadline = Annotated[
    str | None,
    typer.Option(
        "--deadline",
        metavar="6h|HH:MM",
        envvar="LLMBATCH_DEADLINE",
        show_envvar=False,
        rich_help_panel=SENDING,
        help="Send nothing more after so long, or from a time of day on: exit code 7, and the same command goes on.",
    ),
]
Reask = Annotated[
    int,
    typer.Option(
        "--reask",
        min=0,
        max=bounds.MOST_ATTEMPTS,
        envvar="LLMBATCH_REASK",
        show_envvar=False,
        rich_help_panel=SENDING,
        help="How often to ask again after an answer that was of no use.",
    ),
]
StopAtFailures = Annotated[
    str,
    typer.Option(
        "--stop-at-failures",
        metavar="P%",
        envvar="LLMBATCH_STOP_AT_FAILURES",
        show_envvar=False,
        rich_help_panel=SENDING,
        help="Share of the latest 200 rows (of 50 at least) that may fail before the run stops.",
    ),
]
StopAtInvalid = Annotated[
    str,
    typer.Option(
        "--stop-at-invalid",
        metavar="P%",
        envvar="LLMBATCH_STOP_AT_INVALID",
        show_envvar=False,
        rich_help_panel=SENDING,
        help="Same, for unusable answers, including those that a re-ask fixed.",
    ),
]
Grace = Annotated[
    float,
    typer.Option(
        "--grace",
        min=0,
        max=bounds.MOST_SECONDS,
        envvar="LLMBATCH_GRACE",
        show_envvar=False,
        rich_help_panel=SENDING,
        help="Seconds that requests under way may take once the run is stopped.",
    ),
]
MaxCost = Annotated[
    float | None,
    typer.Option(
        "--max-cost",
        metavar="USD",
        min=0,
        max=bounds.MOST_USD,
        envvar="LLMBATCH_MAX_COST",
        show_envvar=False,
        rich_help_panel=BUDGET,
        help="What the run may cost in all, its earlier sessions included: a hard limit, exit code 5.",
    ),
]
DailyBudget = Annotated[
    float | None,
    typer.Option(
        "--daily-budget",
        metavar="USD",
        min=0,
        max=bounds.MOST_USD,
        envvar="LLMBATCH_DAILY_BUDGET",
        show_envvar=False,
        rich_help_panel=BUDGET,
        help="What all runs of a day (UTC) together may cost: a hard limit, exit code 5.",
    ),
]
AlertAt = Annotated[
    str,
    typer.Option(
        "--alert-at",
        metavar="P%,...",
        envvar="LLMBATCH_ALERT_AT",
        show_envvar=False,
        rich_help_panel=BUDGET,
        help="Share of either limit at which to warn.",
    ),
]
AlertCommand = Annotated[
    str | None,
    typer.Option(
        "--alert-command",
        metavar="CMD",
        envvar="LLMBATCH_ALERT_COMMAND",
        show_envvar=False,
        rich_help_panel=BUDGET,
        help="Command to run then, by the shell; LLMBATCH_ALERT_... variables tell it the figures.",
    ),
]
SpendStore = Annotated[
    str | None,
    typer.Option(
        "--spend-store",
        metavar="FILE|off",
        envvar="LLMBATCH_SPEND_STORE",
        show_envvar=False,
        rich_help_panel=BUDGET,
        help="Where spending is written down and daily budgets are shared.",
        show_default="the user's",
    ),
]
Price = Annotated[
    str | None,
    typer.Option(
        "--price",
        metavar="IN,CACHED,OUT[,WRITE]",
        envvar="LLMBATCH_PRICE",
        show_envvar=False,
        rich_help_panel=BUDGET,
        help="USD per million tokens, for models whose price is not known.",
    ),
]


def sending_options(
    *,
    base_url: str | None,
    api_version: str | None,
    insecure_http: bool = False,
    offline: bool,
    faults: list[str] | None,
    concurrency: str,
    rpm: float | None,
    tpm: float | None,
    attempts: int,
    timeout_s: float | None,
    retry_wait_min_s: float,
    retry_wait_max_s: float,
    max_wait_s: float,
    deadline: str | None,
    reask: int,
    stop_at_failures: str,
    stop_at_invalid: str,
    grace_s: float,
    price: str | None,
    max_cost_usd: float | None,
    daily_budget_usd: float | None,
    alert_at: str,
    alert_command: str | None,
    spend_store: str | None,
) -> "Sending":
    """The shared options as the pipeline takes them.

    Raises:
        UsageError: they do not go together.
    """
    from datetime import UTC, datetime, timedelta

    from llmbatch.core.errors import UsageError
    from llmbatch.core.prices import parse_price
    from llmbatch.engine.failure_rate_guard import GuardSettings, parse_share
    from llmbatch.engine.sending import Sending
    from llmbatch.provider.limits import RateLimits
    from llmbatch.provider.retry import RetryPolicy
    from llmbatch.runs.options import parse_deadline
    from llmbatch.simulate import parse_fault
    from llmbatch.spend.options import budget_options

    if faults and not offline:
        raise UsageError("--fault needs --offline", hint="real endpoints have faults of their own")
    if retry_wait_min_s > retry_wait_max_s:
        raise UsageError(f"--retry-wait-min {retry_wait_min_s:g} is more than --retry-wait-max {retry_wait_max_s:g}")
    for fault in faults or ():
        parse_fault(fault)
    return Sending(
        base_url=base_url,
        api_version=api_version,
        insecure_http=insecure_http,
        offline=offline,
        offline_arguments=tuple(part for fault in faults or () for part in ("--fault", fault)),
        concurrency=parsed_concurrency(concurrency),
        limits=RateLimits(None if rpm is None else rpm / 60, None if tpm is None else tpm / 60),
        timeout_s=timeout_s,
        policy=RetryPolicy(
            attempts=attempts,
            wait_min_s=retry_wait_min_s,
            wait_max_s=retry_wait_max_s,
            max_wait_s=max_wait_s,
            reasks=reask,
        ),
        guard=GuardSettings(
            parse_share(stop_at_failures, "--stop-at-failures"), parse_share(stop_at_invalid, "--stop-at-invalid")
        ),
        grace_s=grace_s,
        deadline=None if deadline is None else datetime.now(UTC) + timedelta(seconds=parse_deadline(deadline)),
        price=None if price is None else parse_price(price),
        budget=budget_options(
            max_cost_usd=max_cost_usd,
            daily_budget_usd=daily_budget_usd,
            alert_at=alert_at,
            alert_command=alert_command,
            spend_store=spend_store,
        ),
    )


def parsed_concurrency(text: str) -> int | None:
    """How many requests may be under way; None where that is to be found.

    Raises:
        UsageError: it is neither a number nor `auto`.
    """
    from llmbatch.core.errors import UsageError

    if text == defaults.CONCURRENCY:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > len(str(_MOST_AT_ONCE)):
        raise UsageError(f"--concurrency {text[:40]!r} is neither a number from 1 to {_MOST_AT_ONCE:,} nor auto")
    if not 1 <= int(text) <= _MOST_AT_ONCE:
        raise UsageError(f"--concurrency {text} is not between 1 and {_MOST_AT_ONCE:,}, nor auto")
    return int(text)


_MOST_AT_ONCE = 10_000
"""Connections: a process has some thousand file descriptors."""
