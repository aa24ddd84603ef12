"""`llmbatch simulate`: the offline endpoint by itself."""

from typing import Annotated

import typer


def simulate(
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port on loopback; 0 for a free one.")] = 8399,
    host: Annotated[str, typer.Option("--host", help="Loopback address.")] = "127.0.0.1",
    fault: Annotated[
        list[str] | None,
        typer.Option("--fault", metavar="SPEC", help="A fault, as rate_limit=5% or quota@100+. Repeatable."),
    ] = None,
    latency: Annotated[float, typer.Option("--latency", min=0, help="Seconds that an answer takes on average.")] = 0.0,
    rpm: Annotated[int | None, typer.Option("--rpm", min=1, help="Requests a minute, enforced.")] = None,
    tpm: Annotated[int | None, typer.Option("--tpm", min=1, help="Tokens a minute, enforced.")] = None,
    api_key: Annotated[str | None, typer.Option("--api-key", help="Refuse every other key.")] = None,
    refuse: Annotated[
        list[str] | None,
        typer.Option("--refuse", metavar="PARAMETER", help="A parameter to refuse, as json_schema. Repeatable."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Draws other faults.")] = 0,
    until_stdin_closes: Annotated[bool, typer.Option("--until-stdin-closes", hidden=True)] = False,
) -> None:
    """Serve OpenAI's chat-completions protocol on loopback: no model, no key, faults on demand."""
    from llmbatch.simulate import SimulatorSettings, parse_fault, serve

    settings = SimulatorSettings(
        seed=seed,
        latency_s=latency,
        faults=tuple(parse_fault(spec) for spec in fault or ()),
        rpm=rpm,
        tpm=tpm,
        api_key=api_key,
        refuse=frozenset(refuse or ()),
    )
    serve(settings, host, port, announce=typer.echo, until_stdin_closes=until_stdin_closes)
