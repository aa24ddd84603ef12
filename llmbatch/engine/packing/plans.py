"""Plans for requests about several rows, with the same labels and keys."""

from dataclasses import dataclass, replace

from llmbatch.core.errors import UsageError
from llmbatch.core.models import profile_of
from llmbatch.engine.plan import Plan
from llmbatch.provider.request import Question
from llmbatch.task.packed_prompt import packed_prefix, packed_schema
from llmbatch.tokens import kept_counts

LONGEST_PACKED = 4_000
"""Texts with more characters are sent alone: for a long document, the prompt is a small part of the cost."""
LONGEST_PACK = 32_000
"""Maximum characters of all texts in a pack."""
_CHARACTERS_A_TOKEN = 2
"""Characters per token, at least, in most languages. With fewer, the window may be exceeded, and the pack is split."""


@dataclass(frozen=True, slots=True)
class Packing:
    """How many rows share a request."""

    rows: int
    """Maximum number."""
    seed: int = 0
    """Seed of the order within packs."""


@dataclass(frozen=True, slots=True)
class AutoPacking:
    """Pack rows as far as a comparison allows it."""

    most_lost: float
    """Share of the rows (0..1) that may be labelled worse."""
    seed: int = 0


def check_can_be_packed(plan: Plan) -> None:
    """Reject a plan whose documents cannot share a request.

    Raises:
        UsageError: labels or examples are listed for each document separately.
    """
    for is_there, what, hint in (
        (plan.candidates, "labels that are retrieved for each document", "--candidates all lists every label"),
        (plan.similar, "examples that are chosen for each document", "--examples 0 chooses none"),
    ):
        if is_there is not None:
            raise UsageError(f"--rows-per-request cannot be combined with {what}; nothing was sent", hint=hint)


def can_be_packed(plan: Plan) -> bool:
    """Whether documents can share a request."""
    return plan.candidates is None and plan.similar is None


def packed_plan(plan: Plan, rows: int) -> Plan:
    """The plan of requests about `rows` documents. Its rows have the keys of the plan itself.

    The output limit grows with the rows.
    """
    prefix = packed_prefix(plan.question.prefix)
    (tokens,) = kept_counts([prefix])
    caching = plan.caching
    cached_tokens = 0 if caching is None else caching.cached_tokens(tokens)
    return replace(
        plan,
        question=Question(plan.question.model, prefix, packed_schema(plan.question.schema, rows)),
        shape=plan.shape.with_room(packed_room(plan, plan.shape.max_output_tokens, rows)),
        prefix=replace(plan.prefix, tokens=tokens, cached_tokens=cached_tokens),
    )


def packed_room(plan: Plan, of_one: int, rows: int) -> int:
    """The output limit for an answer about `rows` documents, if that for one document is `of_one`."""
    return of_one + (rows - 1) * plan.answer_tokens


def packed_characters(plan: Plan, rows: int) -> int:
    """Maximum characters of a pack's documents together: what the model's window leaves for them, if it is known."""
    window = plan.choice.window or profile_of(plan.question.model).context_window
    if window is None:
        return LONGEST_PACK
    left = window / plan.choice.token_ratio - plan.prefix_tokens - packed_room(plan, plan.shape.max_output_tokens, rows)
    return max(min(LONGEST_PACK, int(left) * _CHARACTERS_A_TOKEN), 0)
