"""`llmbatch prompt`: create a task file, lint it, show exactly what is sent."""

import errno
import sys
from pathlib import Path
from typing import Annotated

import typer

from llmbatch.cli import bounds
from llmbatch.cli.command import command, command_group
from llmbatch.cli.completion import tasks as complete_tasks
from llmbatch.cli.options.option import Only, Option
from llmbatch.cli.options.run_folder import RunFolderOptions, RunPath
from llmbatch.cli.options.screen import Json
from llmbatch.cli.options.task import TaskOptions
from llmbatch.cli.output import print_bytes, print_json

app = command_group("Task files: start one, check it, see what is sent.")

_TaskFile = Annotated[
    str | None,
    typer.Argument(
        metavar="TASK",
        help="Task file, or the name of a packaged one.",
        show_default="default",
        autocompletion=complete_tasks,
    ),
]


@command(app)
def init(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write it.", show_default=False)],
    *,
    label: Annotated[
        list[str] | None,
        Option("A label. Repeatable.", short="-l", variables=("LLMBATCH_PROMPT_LABEL",)),
    ] = None,
    name: Annotated[
        str | None,
        Option("The task's name.", shown_default="the file's", variables=("LLMBATCH_PROMPT_NAME",)),
    ] = None,
) -> None:
    """Write a task file to fill in."""
    from llmbatch.core.errors import UsageError
    from llmbatch.core.filenames import quoted
    from llmbatch.core.files import create_file
    from llmbatch.core.sanitize import neutral
    from llmbatch.task.template import task_template

    labels = label or ["first_label", "second_label", "other"]
    text = task_template(name or neutral(path.stem), labels)
    try:
        with create_file(path, 0o666) as file:
            file.write(text.encode())
    except FileExistsError:
        raise UsageError(f"{path} exists already; it was left unchanged", hint="choose another file") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror})") from None
    written = f"{path} written: fill it in, then check it with: llmbatch prompt check {quoted(path)}"
    typer.echo(neutral(written), err=True)


@command(app)
def check(
    tasks: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TASK...",
            help="Task files, or names of packaged ones.",
            show_default="default",
            autocompletion=complete_tasks,
        ),
    ] = None,
    *,
    asked: Annotated[TaskOptions, Only("model")],
    json: Json = False,
) -> None:
    """Lint task files. Exits with code 2 on errors; prints warnings and notes."""
    from dataclasses import asdict

    from llmbatch.core.errors import ExitCode
    from llmbatch.core.sanitize import neutral
    from llmbatch.task.check import check_task
    from llmbatch.task.load import load_task
    from llmbatch.terminal import stdout_console
    from llmbatch.terminal.prompt import render_findings

    loaded = [load_task(name) for name in tasks] if tasks else [load_task(None)]
    checked = [(one.task.name, check_task(one.task, model=asked.model)) for one in loaded]
    if json:
        print_json({"tasks": [{"task": name, "findings": [asdict(one) for one in found]} for name, found in checked]})
    else:
        for source, (_, findings) in zip(tasks or ["default"], checked, strict=True):
            if len(checked) > 1 and findings:
                typer.echo(neutral(f"{source}:"))
            render_findings(findings, stdout_console())
    if any(finding.level == "error" for _, findings in checked for finding in findings):
        raise typer.Exit(ExitCode.USAGE)


def _document(named: str) -> str:
    """The text of the file with that name, or of standard input for `-`; if there is no such file, the text itself."""
    from llmbatch.core.errors import UsageError

    try:
        if named == "-":
            return sys.stdin.buffer.read().decode("utf-8", "replace")
        if "\n" not in named and Path(named).is_file():
            return Path(named).read_bytes().decode("utf-8", "replace")
    except ValueError:  # it contains a NUL, so it is not a file name
        return named
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return named
        raise UsageError(f"{named}: cannot be read ({error.strerror})") from None
    return named


@command(app, "add-examples")
def add_examples(
    task: Annotated[
        Path,
        typer.Argument(
            metavar="TASK", help="A task file of your own.", show_default=False, autocompletion=complete_tasks
        ),
    ],
    run: RunPath,
    *,
    label: Annotated[
        list[str] | None,
        Option("Only rows with this label. Repeatable.", short="-l", variables=("LLMBATCH_EXAMPLES_LABEL",)),
    ] = None,
    most: Annotated[
        int,
        Option(
            "Number of rows to add.",
            flags=("--max",),
            min=1,
            max=bounds.MOST_ROWS,
            variables=("LLMBATCH_EXAMPLES_MAX",),
        ),
    ] = 10,
    folder: RunFolderOptions,
) -> None:
    """Add human decisions (llmbatch review) to a task's examples, the model's mistakes first."""
    from llmbatch.review.examples import add_decided
    from llmbatch.review.opened import opened
    from llmbatch.review.render import added_lines

    with opened(run, folder.to_trust()) as review:
        added = add_decided(review, task, labels=label or (), most=most)
    for line in added_lines(added, task):
        typer.echo(line, err=True)


@command(app)
def render(
    task: _TaskFile = None,
    *,
    text: Annotated[
        str,
        Option(
            "The document to show: a file, - for standard input, or the text itself.",
            short="-t",
            metavar="FILE|TEXT",
            variables=("LLMBATCH_PROMPT_TEXT",),
        ),
    ] = "The document goes here.",
    asked: Annotated[TaskOptions, Only("model", "candidates", "embedding_model", "examples")],
    reasoning: Annotated[
        bool,
        Option("As in classify --reasoning."),
    ] = False,
    pool: Annotated[
        bool,
        Option(
            "Include the pool's examples, as classify --prefix full sends them.", variables=("LLMBATCH_PROMPT_POOL",)
        ),
    ] = False,
    prefix: Annotated[
        bool,
        Option("Only the stable prefix, as plain text.", variables=("LLMBATCH_PROMPT_PREFIX",)),
    ] = False,
    json: Annotated[
        bool, Option("Print the request's JSON body on a terminal too, instead of a readable form.")
    ] = False,
) -> None:
    """Print exactly what is sent for a document: the request's JSON body; on a terminal, in readable form."""
    from llmbatch.engine.plan import ModelChoice, make_plan
    from llmbatch.provider.request import RequestEncoder
    from llmbatch.task.load import load_task
    from llmbatch.task.prefix_policy import PrefixPolicy
    from llmbatch.terminal import stdout_console
    from llmbatch.terminal.prompt import render_request

    policy = PrefixPolicy.FULL if pool else PrefixPolicy.MINIMAL
    choice = ModelChoice(
        model=asked.model,
        reasoning=reasoning,
        prefix=policy,
        candidates=asked.to_candidates(),
        embedding_model=asked.embedding_model,
        similar=asked.to_similar(),
    )
    plan = make_plan(load_task(task), choice, offline=False)
    if prefix:
        print_bytes(plan.question.prefix.encode())
    else:
        document = _document(text)
        body = RequestEncoder(plan.first_question).encode(document, plan.shape, before=plan.before(document))
        if json or not sys.stdout.isatty():
            print_bytes(body + b"\n")
        else:
            render_request(body, stdout_console())
    typer.echo(f"prefix: {plan.prefix_tokens:,} tokens, prompt {plan.prompt}, model {plan.question.model}", err=True)
    if plan.embedding_model is not None and not prefix:
        note = f"a run asks {plan.embedding_model} which labels to list; shown are those with the most words in common"
        typer.echo(note, err=True)
