"""`llmbatch retry`: ask again about a run's failed rows."""

from typing import Annotated

import typer

from llmbatch.cli import options as shared


def retry(
    run: shared.RunPath,
    only: Annotated[
        str | None,
        typer.Option("--only", metavar="KIND,...", help="Only rows that failed so: timeout,rate_limit."),
    ] = None,
    review: Annotated[
        bool, typer.Option("--review", help="The rows in review instead, say with a stronger --model.")
    ] = False,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="Ask this model about them.", show_default="the run's")
    ] = None,
    base_url: shared.BaseUrl = None,
    api_version: shared.ApiVersion = None,
    offline: shared.Offline = False,
    fault: shared.Fault = None,
    concurrency: shared.Concurrency = 32,
    attempts: shared.Attempts = 4,
    timeout: shared.Timeout = 30.0,
    retry_wait_min: shared.RetryWaitMin = 5.0,
    retry_wait_max: shared.RetryWaitMax = 120.0,
    max_wait: shared.MaxWait = 600.0,
    reask: shared.Reask = 1,
    grace: shared.Grace = 20.0,
    price: shared.Price = None,
    max_failed: shared.MaxFailed = "0",
    salvage: shared.Salvage = False,
    json: shared.Json = False,
    quiet: shared.Quiet = False,
) -> None:
    """Ask again about a run folder's failed rows, and nothing else."""
    from llmbatch.cli.show import present
    from llmbatch.pipeline.options import RetryOptions, parse_tolerance
    from llmbatch.pipeline.run import retry_run
    from llmbatch.screen import make_screen

    options = RetryOptions(
        only=frozenset(kind.strip() for kind in (only or "").split(",") if kind.strip()),
        review=review,
        model=model,
        sending=shared.sending_options(
            base_url=base_url,
            api_version=api_version,
            offline=offline,
            faults=fault,
            concurrency=concurrency,
            attempts=attempts,
            timeout_s=timeout,
            retry_wait_min_s=retry_wait_min,
            retry_wait_max_s=retry_wait_max,
            max_wait_s=max_wait,
            reask=reask,
            grace_s=grace,
            price=price,
        ),
        max_failed=parse_tolerance(max_failed),
        salvage=salvage,
    )
    with make_screen(quiet=quiet) as screen:
        summary = retry_run(run, options, screen)
    present(summary, json=json, quiet=quiet)
