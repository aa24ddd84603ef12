"""`llmbatch simulate`: the offline endpoint as a server."""

from typing import Annotated

import typer

from llmbatch.cli import bounds
from llmbatch.cli.command import command
from llmbatch.cli.options.option import Option
from llmbatch.core import defaults

app = typer.Typer(add_completion=False)


@command(app)
def simulate(
    *,
    port: Annotated[
        int,
        Option(
            "Port on loopback; 0 for a free one.", brief=True, min=0, max=65535, variables=("LLMBATCH_SIMULATE_PORT",)
        ),
    ] = defaults.SIMULATE_PORT,
    host: Annotated[str, Option("Loopback address.", variables=("LLMBATCH_SIMULATE_HOST",))] = "127.0.0.1",
    fault: Annotated[
        list[str] | None,
        Option(
            "A fault, as rate_limit=5% or quota@100+. Repeatable.",
            brief=True,
            metavar="SPEC",
            variables=("LLMBATCH_SIMULATE_FAULT",),
        ),
    ] = None,
    dialect: Annotated[
        str,
        Option(
            "The provider or server to imitate, such as vllm.",
            brief=True,
            metavar="NAME",
            variables=("LLMBATCH_SIMULATE_DIALECT",),
        ),
    ] = "openai",
    faulty_model: Annotated[
        str | None,
        Option("Only this model's requests get faults.", metavar="M", variables=("LLMBATCH_SIMULATE_FAULTY_MODEL",)),
    ] = None,
    latency: Annotated[
        float,
        Option(
            "Seconds that an average answer takes.",
            brief=True,
            min=0,
            max=bounds.MOST_SECONDS,
            variables=("LLMBATCH_SIMULATE_LATENCY",),
        ),
    ] = 0.0,
    rpm: Annotated[
        int | None,
        Option(
            "Requests per minute, enforced.",
            brief=True,
            min=1,
            max=bounds.MOST_A_MINUTE,
            variables=("LLMBATCH_SIMULATE_RPM",),
        ),
    ] = None,
    tpm: Annotated[
        int | None,
        Option(
            "Tokens per minute, enforced.",
            brief=True,
            min=1,
            max=bounds.MOST_A_MINUTE,
            variables=("LLMBATCH_SIMULATE_TPM",),
        ),
    ] = None,
    unstated_limits: Annotated[
        bool,
        Option("Send no rate-limit headers.", variables=("LLMBATCH_SIMULATE_UNSTATED_LIMITS",)),
    ] = False,
    api_key: Annotated[
        str | None,
        Option("Refuse every other key.", brief=True, variables=("LLMBATCH_SIMULATE_API_KEY",), is_sensitive=True),
    ] = None,
    model: Annotated[
        list[str] | None,
        Option(
            "A model to serve, and no other. Repeatable.",
            brief=True,
            metavar="M",
            shown_default="every name",
            variables=("LLMBATCH_SIMULATE_MODEL",),
        ),
    ] = None,
    window: Annotated[
        int | None,
        Option(
            "The models' context window: longer requests are refused.",
            metavar="TOKENS",
            min=1,
            max=defaults.MOST_TOKENS,
            shown_default="the model's own",
            variables=("LLMBATCH_SIMULATE_WINDOW",),
        ),
    ] = None,
    refuse: Annotated[
        list[str] | None,
        Option(
            "A parameter to refuse, as json_schema. Repeatable.",
            metavar="PARAMETER",
            variables=("LLMBATCH_SIMULATE_REFUSE",),
        ),
    ] = None,
    batch_delay: Annotated[
        float,
        Option(
            "Seconds until a batch is processed.",
            brief=True,
            min=0,
            max=bounds.MOST_SECONDS,
            variables=("LLMBATCH_SIMULATE_BATCH_DELAY",),
        ),
    ] = 0.0,
    batch_cache: Annotated[
        bool,
        Option("Requests in batches use the prompt cache.", variables=("LLMBATCH_SIMULATE_BATCH_CACHE",)),
    ] = False,
    enqueued_tokens: Annotated[
        int | None,
        Option(
            "Maximum prompt tokens in a model's unfinished batches together.",
            metavar="TOKENS",
            min=1,
            max=bounds.MOST_WHOLE,
            shown_default="no limit",
            variables=("LLMBATCH_SIMULATE_ENQUEUED_TOKENS",),
        ),
    ] = None,
    seed: Annotated[
        int,
        Option(
            "Random seed of the faults.",
            min=-bounds.MOST_WHOLE,
            max=bounds.MOST_WHOLE,
            variables=("LLMBATCH_SIMULATE_SEED",),
        ),
    ] = 0,
    until_stdin_closes: Annotated[bool, typer.Option("--until-stdin-closes", hidden=True)] = False,
) -> None:
    """Serve OpenAI's chat and batch protocols on loopback: no model, no key. Faults on demand."""
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
        batch_delay_s=batch_delay,
        batch_cache=batch_cache,
        enqueued_tokens=enqueued_tokens,
    )
    serve(settings, host, port, announce=typer.echo, until_stdin_closes=until_stdin_closes)
