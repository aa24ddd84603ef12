"""`llmbatch config`: what the configuration file sets, and whether it is trusted."""

from typing import Annotated

import typer

from llmbatch.cli.command import command, command_group
from llmbatch.cli.options.screen import Json
from llmbatch.cli.output import print_json, print_path

app = command_group("The configuration file: which values apply and why. It is llmbatch.toml, or in pyproject.toml.")


@command(app)
def show(
    context: typer.Context,
    name: Annotated[
        list[str] | None,
        typer.Argument(metavar="COMMAND", help="Such as evaluate or review export.", show_default="classify"),
    ] = None,
    *,
    json: Json = False,
) -> None:
    """Print the value of each option of a command, and where it is from."""
    from llmbatch.cli.configuration.effective import effective_json, effective_lines, effective_values

    effective = effective_values(name or ["classify"], context.params["profile"])
    if json:
        print_json(effective_json(effective))
    else:
        for line in effective_lines(effective):
            typer.echo(line)


@app.command()
def trust() -> None:
    """Trust the configuration file as it is now: it may then also set where keys are sent and what is run."""
    from llmbatch.cli.configuration.file import find_configuration
    from llmbatch.cli.configuration.trust import trust_file
    from llmbatch.core.errors import UsageError

    file = find_configuration()
    if file is None:
        raise UsageError("there is no configuration file here or in any parent folder")
    trust_file(file.path, file.content)
    print_path(file.path)


@app.command()
def schema(
    name: Annotated[
        list[str] | None,
        typer.Argument(metavar="COMMAND", help="Such as evaluate or review status: the schema of its --json output."),
    ] = None,
) -> None:
    """Print the JSON Schema of configuration files, for editors; or of a command's --json."""
    if name:
        from llmbatch.cli.documents import document_schema

        print_json(document_schema(" ".join(name)))
    else:
        from llmbatch.cli.configuration.schema import configuration_schema

        print_json(configuration_schema())
