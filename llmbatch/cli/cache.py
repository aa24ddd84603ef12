"""`llmbatch cache`: answers that runs share."""

from typing import Annotated

import typer

from llmbatch.cli import bounds
from llmbatch.cli.command import command, command_group
from llmbatch.cli.options.option import Only, Option
from llmbatch.cli.options.reuse import ReuseOptions
from llmbatch.cli.options.screen import Json
from llmbatch.cli.output import print_json

app = command_group("The answer cache that runs share (classify --reuse).")


@command(app)
def show(*, reuse: Annotated[ReuseOptions, Only("reuse_store")], json: Json = False) -> None:
    """Show how many answers are cached, for which models, and how much disk space they take."""
    from llmbatch.cache import default_store, store_figures
    from llmbatch.terminal import stdout_console
    from llmbatch.terminal.store import render_store

    path = reuse.reuse_store or default_store()
    figures = store_figures(path)
    if json:
        print_json(figures.as_json(path))
    else:
        render_store(figures, path, stdout_console())


@command(app)
def clear(
    *,
    reuse: Annotated[ReuseOptions, Only("reuse_store")],
    older_than: Annotated[
        float | None,
        Option("Only older answers.", metavar="DAYS", min=0, max=bounds.MOST_DAYS, shown_default="all"),
    ] = None,
) -> None:
    """Delete cached answers. Runs and their results are not touched."""
    from llmbatch.cache import clear_store, default_store
    from llmbatch.core.plurals import counted

    removed = clear_store(reuse.reuse_store or default_store(), older_than_days=older_than)
    message = (
        "the answer cache was damaged and was deleted" if removed is None else f"{counted(removed, 'answer')} removed"
    )
    typer.echo(message, err=True)
