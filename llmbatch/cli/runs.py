"""`llmbatch runs`: lists run folders, and removes what earlier runs left behind."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import typer

from llmbatch.cli import bounds
from llmbatch.cli.command import command, command_group
from llmbatch.cli.default_command import DefaultCommandGroup
from llmbatch.cli.options.option import Option
from llmbatch.cli.options.screen import Json
from llmbatch.cli.output import print_json

if TYPE_CHECKING:
    from llmbatch.observe.listing import Waste


class _Group(DefaultCommandGroup):
    needs_argument: ClassVar[bool] = False


app = command_group("List the run folders below this one: state, rows, cost, accuracy. Or clean up after them.", _Group)

_Root = Annotated[
    Path, typer.Argument(metavar="FOLDER", help="Where to look, including all folders below.", show_default="here")
]


@command(app, "list")
def list_(
    root: _Root = Path(),
    *,
    watch: Annotated[
        bool, Option("Refresh every two seconds, until Ctrl-C.", short="-w", variables=("LLMBATCH_RUNS_WATCH",))
    ] = False,
    json: Json = False,
) -> None:
    """List the run folders here and below, the latest last. The default: llmbatch runs."""
    from dataclasses import asdict

    from llmbatch.core.errors import UsageError
    from llmbatch.runs.listing import list_runs
    from llmbatch.terminal import stdout_console
    from llmbatch.terminal.runs import render_runs, watch_runs

    if watch:
        if json or not stdout_console().is_interactive:
            raise UsageError(
                "--watch is for people at a terminal", hint="leave it out, and run it again for new figures"
            )
        watch_runs(lambda: list_runs(root), stdout_console())
    elif json:
        print_json(asdict(list_runs(root)))
    else:
        render_runs(list_runs(root), stdout_console())


@command(app)
def clean(
    root: _Root = Path(),
    *,
    older_than: Annotated[
        float,
        Option(
            "For caches: age from which entries can go.",
            metavar="DAYS",
            min=0,
            max=bounds.MOST_DAYS,
            variables=("LLMBATCH_CLEAN_OLDER_THAN",),
        ),
    ] = 90.0,
    yes: Annotated[
        bool, Option("Remove without asking.", short="-y", variables=("LLMBATCH_CLEAN_YES",), is_sensitive=True)
    ] = False,
    json: Json = False,
) -> None:
    """Remove leftovers: temporary folders, dead sessions, old caches. Results are never removed."""
    from llmbatch.session.cleaning import find_waste
    from llmbatch.terminal import stdout_console
    from llmbatch.terminal.runs import render_waste

    found = find_waste(root, older_than_days=older_than)
    if json:
        removed = yes and _removed(found)
        listed = [{"kind": one.kind, "place": one.place, "count": one.count, "bytes": one.bytes} for one in found]
        print_json({"waste": listed, "bytes": sum(one.bytes for one in found), "removed": removed})
        return
    render_waste(found, stdout_console())
    if not found:
        return
    is_asked = sys.stdin.isatty() and sys.stdout.isatty()
    if not yes and not is_asked:
        typer.echo("nothing was removed; --yes removes it", err=True)
    elif yes or typer.confirm("Remove it?"):
        _removed(found)
        typer.echo("removed", err=True)


def _removed(found: "list[Waste]") -> bool:
    from llmbatch.core.files import storing

    for one in found:
        with storing(Path(one.place)):
            one.remove()
    return True
