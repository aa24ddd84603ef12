"""Which endpoint and model to use, from the options and from what the endpoint says about its models."""

from dataclasses import replace

from llmbatch.core import defaults
from llmbatch.core.errors import UsageError
from llmbatch.core.models import profile_of
from llmbatch.engine.plan import ModelChoice, Plan, asked_model
from llmbatch.engine.sending import Sending
from llmbatch.provider.client import Endpoint, resolve_endpoint
from llmbatch.provider.plugged import dialect_named
from llmbatch.provider.served import served_models
from llmbatch.runs.folder import RunRecord
from llmbatch.task.model import Task

_LISTED = 5


def endpoint_for(sending: Sending, model: str, dialect: str) -> Endpoint | None:
    """Where requests go; None for the offline endpoint, which has not been started yet.

    Args:
        sending: how requests are sent.
        model: the model.
        dialect: the wire protocol's name.

    Raises:
        UsageError: the address or the key cannot be used, or the offline endpoint does not support the dialect.
    """
    if sending.offline:
        if dialect != defaults.DIALECT:
            raise UsageError(f"the offline endpoint does not speak {dialect}", hint="leave out --dialect or --offline")
        return None
    return resolve_endpoint(
        sending.base_url,
        sending.api_version,
        model=model,
        insecure_http=sending.insecure_http,
        dialect=dialect_named(dialect),
    )


def completed_choice(
    task: Task, choice: ModelChoice, endpoint: Endpoint | None, standing: RunRecord | None
) -> ModelChoice:
    """The user's choice, completed by what the endpoint says; it is asked at most once per run.

    Args:
        task: it may name a model.
        choice: the user's.
        endpoint: None for the offline one, about which everything is known.
        standing: what the run's folder records of an earlier session.

    Raises:
        UsageError: no model is named, and the endpoint serves several, but not the default one.
    """
    is_named = (choice.model or task.model.name) is not None
    model = asked_model(task, choice)
    if standing is not None and standing.choice.window is not None and (not is_named or model == standing.model):
        known = standing.choice
        return replace(choice, model=choice.model or known.model, window=known.window, token_ratio=known.token_ratio)
    if endpoint is None or endpoint.is_default or (is_named and profile_of(model).context_window is not None):
        return choice
    served = served_models(endpoint)
    names = [one.name for one in served]
    if not is_named and names and model not in names:
        if len(names) > 1:
            listed = ", ".join(names[:_LISTED]) + (", ..." if len(names) > _LISTED else "")
            raise UsageError(f"no model is named, and the endpoint serves {len(names)}", hint=f"--model: {listed}")
        choice, model = replace(choice, model=names[0]), names[0]
    return replace(choice, window=next((one.window for one in served if one.name == model), None))


def check_room(plan: Plan) -> None:
    """Refuse a task that leaves no room for a document.

    Raises:
        UsageError: its prompt and its answer fill the model's window.
    """
    if plan.limit.tokens == 0:
        raise UsageError(
            f"the task's prompt ({plan.prefix_tokens:,} tokens) and an answer fill the context window "
            f"of {plan.question.model}",
            hint="shorten the task, --prefix minimal where it has examples, or serve the model with a larger one",
        )
