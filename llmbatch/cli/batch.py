"""`llmbatch batch`: a run's parts at the provider."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from llmbatch.cli.command import command, command_group
from llmbatch.cli.options.money import MoneyOptions
from llmbatch.cli.options.option import Only
from llmbatch.cli.options.run_folder import RunPath
from llmbatch.cli.options.screen import Json
from llmbatch.cli.options.sending import SendingOptions
from llmbatch.cli.output import print_json
from llmbatch.core.ledger_line import CONTROL
from llmbatch.core.sanitize import neutral

if TYPE_CHECKING:
    from llmbatch.runs.batches.log import Part
    from llmbatch.runs.shard import Shard

app = command_group("Batches at the provider: list, cancel, adopt or forget them. They are a run's parts.")
_MOST_PARTS = 1_000_000
Number = Annotated[int, typer.Argument(metavar="PART", help="The part's number.", min=1, max=_MOST_PARTS)]
Store = Annotated[MoneyOptions, Only("spend_store")]


@command(app, name="list")
def list_(run: RunPath, *, json: Json = False) -> None:
    """List a run's parts as its folder records them. The provider is not asked."""
    from llmbatch.session.batches.manage import list_parts

    parts = [_as_json(part, shard) for shard, part in list_parts(run)]
    if json:
        print_json({"parts": parts})
        return
    for part in parts:
        arm = "" if part["arm"] == CONTROL else part["arm"]
        shard = "" if part["shard"] is None else f"shard {part['shard']}"
        words = [
            shard,
            f"part {part['part']}",
            arm,
            f"{part['rows']:,} rows",
            part["state"],
            part["batch"] or "",
            part["at"],
        ]
        typer.echo(neutral("  ".join(filter(None, words))))


@command(app)
def cancel(
    run: RunPath,
    part: Annotated[int | None, typer.Argument(metavar="PART", help="Only this part.", min=1, max=_MOST_PARTS)] = None,
    *,
    sending: Annotated[SendingOptions, Only("base_url", "api_version", "insecure_http")],
    money: Store,
) -> None:
    """Ask the provider to cancel a run's parts. Answered rows are billed: collect them with classify --batch."""
    from llmbatch.runs.spend_stores import parse_spend_store
    from llmbatch.session.batches.manage import cancel_parts

    store = parse_spend_store(money.spend_store)
    for shard, cancelled, state in cancel_parts(run, part, sending.to_sending(MoneyOptions()), store):
        where = "" if shard is None else f"shard {shard}, "
        typer.echo(neutral(f"{where}{cancelled.name}: {state}"), err=True)


@command(app)
def adopt(
    run: RunPath,
    part: Number,
    batch: Annotated[str, typer.Argument(metavar="BATCH", help="The batch's id at the provider.")],
) -> None:
    """Record which batch a part became, when that is unknown."""
    from llmbatch.session.batches.manage import adopt_part

    adopted = adopt_part(run, part, batch)
    typer.echo(neutral(f"{adopted.name} is {adopted.batch_id}: collect it with classify --batch"), err=True)


@command(app)
def forget(run: RunPath, part: Number, *, money: Store) -> None:
    """Forget a part: its rows are pending again, and its possible cost counts as possibly billed."""
    from llmbatch.runs.spend_stores import parse_spend_store
    from llmbatch.session.batches.manage import forget_part

    given_up = forget_part(run, part, parse_spend_store(money.spend_store))
    typer.echo(
        neutral(f"{given_up.name} is forgotten: its {given_up.prepared.rows:,} rows are pending again"), err=True
    )


def _as_json(part: "Part", shard: "Shard | None") -> dict[str, Any]:
    from llmbatch.core.money import to_usd

    end = part.end
    return {
        "shard": None if shard is None else str(shard),
        "part": part.number,
        "arm": part.prepared.arm,
        "model": part.prepared.model,
        "rows": part.prepared.rows,
        "state": _state(part),
        "batch": part.batch_id,
        "file": part.file_id,
        "at": part.prepared.at,
        "at_most_usd": to_usd(part.at_most_nanousd),
        "cost_usd": None if end is None else to_usd(end.cost_nusd),
        "ok": None if end is None else end.ok,
        "failed": None if end is None else end.failed,
        "answered": part.done,
        "usage": {} if end is None else {name: end.usage.get(f"{name}_tokens", 0) for name in ("input", "output")},
        "provider_usage": {} if end is None else end.provider_usage,
    }


def _state(part: "Part") -> str:
    if part.end is not None:
        return "collected" if part.end.event == "collected" else f"given up: {part.end.why}"
    if part.batch_id is not None:
        return part.status or "submitted"
    if part.creating_at is not None:
        return "perhaps submitted"
    return "uploaded" if part.file_id is not None else "prepared"
