"""`llmbatch spend`: what was spent over all runs."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from llmbatch.cli.command import command
from llmbatch.cli.options.money import MoneyOptions
from llmbatch.cli.options.option import Only, Option
from llmbatch.cli.options.screen import Json

app = typer.Typer(add_completion=False)

_BY_HELP = "day, model, prompt, run; label or any field of the task or the input, from the run folders."


@command(app)
def spend(
    *,
    by: Annotated[
        str,
        Option(_BY_HELP, metavar="day|model|prompt|run|FIELD", variables=("LLMBATCH_SPEND_BY",)),
    ] = "day",
    since: Annotated[
        str | None,
        Option("First day (UTC).", metavar="DAY", shown_default="30 days", variables=("LLMBATCH_SPEND_SINCE",)),
    ] = None,
    until: Annotated[
        str | None,
        Option("Last day (UTC).", metavar="DAY", shown_default="today", variables=("LLMBATCH_SPEND_UNTIL",)),
    ] = None,
    offline: Annotated[
        bool,
        Option("What the offline endpoint's requests would have cost, instead of what was spent."),
    ] = False,
    money: Annotated[MoneyOptions, Only("spend_store")],
    json: Json = False,
) -> None:
    """Show what was spent, compared with the preceding period."""
    from llmbatch.analysis.spent import spend_report
    from llmbatch.cli.output import print_json
    from llmbatch.core.errors import UsageError
    from llmbatch.runs.spend_stores import parse_spend_store
    from llmbatch.spend.days import parse_day
    from llmbatch.spend.report import period, report_json
    from llmbatch.terminal import stdout_console
    from llmbatch.terminal.spending import render_spending

    store = parse_spend_store(money.spend_store)
    if store is None:
        raise UsageError("--spend-store is off: there is nothing to show", hint="name a file, or leave it out")
    days = period(
        None if since is None else parse_day(since, "--since"),
        None if until is None else parse_day(until, "--until"),
        today=datetime.now(UTC).date(),
    )
    report = spend_report(store, by, days, offline=offline)
    if json:
        print_json(report_json(report))
    else:
        render_spending(report, stdout_console())
