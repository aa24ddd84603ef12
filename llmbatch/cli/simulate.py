"""`llmbatch simulate`: the offline endpoint by itself."""

from typing import Annotated

import typer

from llmbatch.cli import bounds
from llmbatch.core import defaults

app = typer.Typer(add_completion=False)


@app.command()
def simulate(
    port: Annotated[
        int,
        typer.Option(
            "--port",
            envvar="LLMBATCH_SIMULATE_PORT",
            show_envvar=False,
            min=0,
            max=65535,
            help="Port on loopback; 0 for a free one.",
        ),
    ] = defaults.SIMULATE_PORT,
    host: Annotated[
        str, typer.Option("--host", envvar="LLMBATCH_SIMULATE_HOST", show_envvar=False, help="Loopback address.")
    ] = "127.0.0.1",
    fault: Annotated[
        list[str] | None,
        typer.Option(
            "--fault",
            envvar="LLMBATCH_SIMULATE_FAULT",
            show_envvar=False,
            metavar="SPEC",
            help="A fault, as rate_limit=5% or quota@100+. Repeatable.",
        ),
    ] = None,
    dialect: Annotated[
        str,
        typer.Option(
            "--dialect",
            metavar="NAME",
            envvar="LLMBATCH_SIMULATE_DIALECT",
            show_envvar=False,
            help="The maker or server to play, as vllm: its errors, headers, finish reasons, thinking.",
        ),
    ] = "openai",
    faulty_model: Annotated[
        str | None,
        typer.Option(
            "--faulty-model",
            metavar="M",
            envvar="LLMBATCH_SIMULATE_FAULTY_MODEL",
            show_envvar=False,
            help="Let only this model's requests meet faults.",
        ),
    ] = None,
    latency: Annotated[
        float,
        typer.Option(
            "--latency",
            envvar="LLMBATCH_SIMULATE_LATENCY",
            show_envvar=False,
            min=0,
            max=bounds.MOST_SECONDS,
            help="Seconds that an answer takes on average.",
        ),
    ] = 0.0,
    rpm: Annotated[
        int | None,
        typer.Option(
            "--rpm",
            envvar="LLMBATCH_SIMULATE_RPM",
            show_envvar=False,
            min=1,
            max=bounds.MOST_A_MINUTE,
            help="Requests a minute, enforced.",
        ),
    ] = None,
    tpm: Annotated[
        int | None,
        typer.Option(
            "--tpm",
            envvar="LLMBATCH_SIMULATE_TPM",
            show_envvar=False,
            min=1,
            max=bounds.MOST_A_MINUTE,
            help="Tokens a minute, enforced.",
        ),
    ] = None,
    unstated_limits: Annotated[
        bool,
        typer.Option(
            "--unstated-limits",
            envvar="LLMBATCH_SIMULATE_UNSTATED_LIMITS",
            show_envvar=False,
            help="Say nothing of limits in the headers.",
        ),
    ] = False,
    api_key: Annotated[
        str | None,
        typer.Option(
            "--api-key", envvar="LLMBATCH_SIMULATE_API_KEY", show_envvar=False, help="Refuse every other key."
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            metavar="M",
            envvar="LLMBATCH_SIMULATE_MODEL",
            show_envvar=False,
            help="A model to serve, and no other. Repeatable.",
            show_default="every name",
        ),
    ] = None,
    window: Annotated[
        int | None,
        typer.Option(
            "--window",
            metavar="TOKENS",
            envvar="LLMBATCH_SIMULATE_WINDOW",
            show_envvar=False,
            min=1,
            max=defaults.MOST_TOKENS,
            help="The models' window: longer requests are refused.",
            show_default="the model's own",
        ),
    ] = None,
    refuse: Annotated[
        list[str] | None,
        typer.Option(
            "--refuse",
            envvar="LLMBATCH_SIMULATE_REFUSE",
            show_envvar=False,
            metavar="PARAMETER",
            help="A parameter to refuse, as json_schema. Repeatable.",
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(
            "--seed",
            envvar="LLMBATCH_SIMULATE_SEED",
            show_envvar=False,
            min=-bounds.MOST_WHOLE,
            max=bounds.MOST_WHOLE,
            help="Draws other faults.",
        ),
    ] = 0,
    until_stdin_closes: Annotated[bool, typer.Option("--until-stdin-closes", hidden=True)] = False,
) -> None:
    """Serve OpenAI's chat-completions protocol on loopback: no model, no key, faults on demand."""
    from llmbatch.simulate import SimulatorSettings, parse_fault, serve

    settings = SimulatorSettings(
        seed=seed,
        latency_s=latency,
        faults=tuple(parse_fault(spec) for spec in fault or ()),
        faulty_model=faulty_model,
        dialect=dialect,
        rpm=rpm,
        tpm=tpm,
        states_limits=not unstated_limits,
        api_key=api_key,
        models=tuple(model) if model else None,
        window=window,
        refuse=frozenset(refuse or ()),
    )
    serve(settings, host, port, announce=typer.echo, until_stdin_closes=until_stdin_closes)
