"""What a run sends, and the keys that identify its rows."""

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import orjson

from llmbatch.core import defaults
from llmbatch.core.errors import UsageError
from llmbatch.core.ledger_line import CONTROL
from llmbatch.core.models import PromptCaching, caching_of, profile_of
from llmbatch.core.prices import Price
from llmbatch.core.rows import ConfidenceKind, Truncation
from llmbatch.core.service_tiers import ServiceTier
from llmbatch.engine.label_lists import Level, label_lists, levels_of
from llmbatch.provider.request import Question
from llmbatch.provider.shape import RequestShape, gives_logprobs, initial_shape
from llmbatch.task.candidates import NO_SHORTLIST, Candidates
from llmbatch.task.descent import Descent
from llmbatch.task.document_limit import DocumentLimit
from llmbatch.task.fields import FieldKind
from llmbatch.task.label_space import LabelSpace
from llmbatch.task.load import LoadedTask
from llmbatch.task.model import Task
from llmbatch.task.prefix import build_prefix
from llmbatch.task.prefix_plan import PrefixPlan, PrefixTerms, plan_prefix
from llmbatch.task.prefix_policy import PrefixPolicy
from llmbatch.task.similar_examples import SimilarExamples, similar_count
from llmbatch.task.text_search import require_search
from llmbatch.tokens import count_tokens, kept_counts

# Models space and round as they like, and some wrap the object in a code fence and a sentence; a runaway answer is
# still cut off. Unused room costs nothing.
_ANSWER_MARGIN = 1.5
_WRAPPER_TOKENS = 24
_REASONING_TOKENS = 120

_MOST_DECISIONS = 200
"""Maximum labels that are each answered with true or false: about six tokens, and 3 KB of log-probabilities, each."""

# Part of a model's window reserved for message framing and for inaccuracies of separate counting.
_FRAME_TOKENS = 32


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """The user's choices about model and prompt. None leaves it to the task file, then to the model's profile."""

    model: str | None = None
    temperature: float | None = None
    reasoning_effort: str | None = None
    max_output_tokens: int | None = None
    reasoning: bool = False
    """Also ask for a short rationale."""
    max_doc_tokens: int | None = None
    """Maximum tokens per document; None leaves it to the model's window."""
    truncate: Truncation | None = None
    """How a longer document is truncated; None lets it fail."""
    prefix: PrefixPolicy = PrefixPolicy.AUTO
    """How much of the task's pool of examples goes into the prompt."""
    confidence: ConfidenceKind = ConfidenceKind.reported
    """Source of the confidence; stated by the model if it provides no log-probabilities."""
    window: int | None = None
    """The model's context window as stated by the endpoint; None uses the model's profile."""
    service_tier: ServiceTier | None = None
    """The priority and price of requests; not part of row keys, since the answer is the same."""
    token_ratio: float = 1.0
    """How many endpoint tokens one of ours corresponds to, as reported in answers; at least 1."""
    dialect: str = defaults.DIALECT
    """The wire protocol's name."""
    candidates: int | None = None
    """Labels to retrieve for each document, of fields that have more; `ALL_LABELS`, `LABELS_BY_LEVEL`, or None
    to leave it to the task."""
    embedding_model: str | None = None
    """The model whose embeddings retrieve labels; None leaves it to the task, then to a search by words."""
    similar: int | None = None
    """Examples to choose for each document; 0 for none, None leaves it to the task."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A task combined with a model: the stable part of every request, and the run's identity."""

    task: Task
    task_source: str
    question: Question
    shape: RequestShape
    answer_tokens: int
    """Output limit of an answer in tokens, excluding reasoning."""
    prompt: str
    """Fingerprint of the prompt: prefix and schema."""
    fingerprint: str
    """Fingerprint of everything an answer depends on: prompt, model, parameters."""
    prefix: PrefixPlan
    offline: bool
    choice: ModelChoice
    limit: DocumentLimit = DocumentLimit()
    candidates: Candidates | None = None
    """Finds the labels to list in each document's request; None if all labels are in the prefix."""
    similar: SimilarExamples | None = None
    """Chooses the examples before each document; None if all are in the prefix."""
    levels: tuple[Level, ...] = ()
    """Levels of a descent, from the top; a row is sent once for each."""
    arm: str = CONTROL
    """The arm: the run itself, a canary, or a second opinion."""

    @property
    def caching(self) -> PromptCaching | None:
        """How the provider caches prompts; None if unknown."""
        return caching_of(self.question.model, self.choice.dialect)

    @property
    def embedding_model(self) -> str | None:
        """The model by whose embeddings labels are retrieved; None if they are not."""
        return None if self.candidates is None else self.candidates.embedding_model

    @property
    def prefix_tokens(self) -> int:
        """Tokens of the stable prefix."""
        return self.prefix.tokens

    @property
    def space(self) -> LabelSpace:
        """The possible answers: the task's labels, or the numbers of those that are listed for the document."""
        return self.task.label_space if self.candidates is None else self.candidates.space

    @property
    def first_question(self) -> Question:
        """A row's first question: in a descent, with the top of the tree at the end of the prefix."""
        if not isinstance(self.candidates, Descent):
            return self.question
        top = self.candidates.shortlist("")
        return self.question.listing(top.text, top.choices)

    def before(self, text: str) -> str:
        """The text before a document, in the same message."""
        shortlist = NO_SHORTLIST if self.candidates is None else self.candidates.shortlist(text)
        examples = "" if self.similar is None else self.similar.before(text, shortlist)
        return examples if shortlist.is_shared else shortlist.text + examples

    def key(self, text: str) -> str:
        """The key of a row with this text. If the text is too long, only the part sent counts."""
        return self.key_of(self.limit.asked(text))

    def key_of(self, asked: str) -> str:
        """The key of the sent text under this plan. Rows with the same text share it."""
        return hashlib.blake2b((self.fingerprint + asked).encode("utf-8", "replace"), digest_size=16).hexdigest()


def asked_model(task: Task, choice: ModelChoice) -> str:
    """The model to use: the user's, the task's, or the default one."""
    return choice.model or task.model.name or defaults.MODEL


def review_threshold(task: Task, wish: float | None) -> float:
    """The confidence (0..1) below which a row needs review: the user's, the task's, or the default one."""
    wishes = (wish, task.model.review_below, defaults.REVIEW_BELOW)
    return next(threshold for threshold in wishes if threshold is not None)


def make_plan(
    loaded: LoadedTask,
    choice: ModelChoice,
    *,
    offline: bool,
    price: Price | None = None,
    rows: int | None = None,
    has_hits: bool = True,
    pool_examples: int | None = None,
) -> Plan:
    """Make the plan for a task and a model.

    Args:
        loaded: the task file.
        choice: the user's choices; the task file's fill the gaps.
        offline: whether the offline endpoint is used; its answers must never pass for a model's, so keys differ.
        price: the model's price, if known. With a pool, the prefix depends on it, on `rows` and on `has_hits`.
        rows: how many will be sent; None for a stream without a known end.
        has_hits: whether requests can rely on the provider's cache.
        pool_examples: how many pool examples an earlier session used; None to decide again.
    """
    task = loaded.task
    model = asked_model(task, choice)
    for word in filter(None, (model, choice.reasoning_effort)):
        _check_can_be_sent(word)
    logprobs = choice.confidence is ConfidenceKind.logprobs and gives_logprobs(model, _effort(task, choice))
    if logprobs:
        _check_can_be_decided(task)
    candidates = label_lists(task, choice.candidates, choice.embedding_model, choice.dialect)
    similar = _similar(loaded, choice, candidates, decisions=logprobs)
    space = task.label_space if candidates is None else candidates.space
    prefixes = [
        build_prefix(task, pool_examples=taken, reasoning=choice.reasoning, decisions=logprobs, candidates=candidates)
        for taken in range(len(task.pool) + 1 if candidates is None and similar is None else 1)
    ]
    sizes, answer_tokens = _counted(prefixes, space.sample_answers(decisions=logprobs))
    terms = PrefixTerms(caching_of(model, choice.dialect), price, rows, has_hits)
    prefix_plan = plan_prefix(sizes, choice.prefix, terms, standing=pool_examples)
    if candidates is not None:
        prefix_plan = replace(prefix_plan, why=f"{prefix_plan.why}; {candidates.summary}")
    if similar is not None:
        prefix_plan = replace(prefix_plan, why=f"{prefix_plan.why}; {similar.summary}")
    prefix = prefixes[prefix_plan.pool_examples]
    schema = space.answer_schema(reasoning=choice.reasoning, decisions=logprobs)
    ceiling = choice.max_output_tokens or task.model.max_output_tokens
    ceiling = ceiling or _answer_ceiling(answer_tokens, reasoning=choice.reasoning)
    shape = initial_shape(
        model,
        answer_tokens=ceiling,
        temperature=choice.temperature if choice.temperature is not None else task.model.temperature,
        reasoning_effort=_effort(task, choice),
        logprobs=logprobs,
        service_tier=choice.service_tier or task.model.service_tier,
    )
    prompted: dict[str, Any] = {"prefix": prefix, "schema": schema}
    if candidates is not None:
        prompted["candidates"] = candidates.digest
    if similar is not None:
        prompted["similar"] = similar.digest
    prompt = _hash(prompted, 6)
    asked = {
        "prompt": prompt,
        "model": model,
        "temperature": shape.temperature,
        "reasoning_effort": shape.reasoning_effort,
        "max_output_tokens": shape.max_output_tokens,
        "offline": offline,
    }
    if shape.logprobs:  # plans without log-probabilities keep their fingerprint from earlier versions
        asked["logprobs"] = True
    if choice.dialect != defaults.DIALECT:  # likewise: another protocol may read the same answer differently
        asked["dialect"] = choice.dialect
    listed = _listed_tokens(candidates, similar)
    limit = _document_limit(model, choice, prefix_plan.tokens + shape.max_output_tokens + listed)
    if similar is not None:
        similar.asked = limit.asked
    return Plan(
        task=task,
        task_source=loaded.source,
        question=Question(model, prefix, schema),
        shape=shape,
        answer_tokens=ceiling,
        prompt=prompt,
        fingerprint=_hash(asked, 16),
        prefix=prefix_plan,
        offline=offline,
        choice=choice,
        limit=limit,
        candidates=candidates,
        similar=similar,
        levels=levels_of(candidates),
    )


def _check_can_be_sent(word: str) -> None:
    """Reject a word that is not UTF-8, which JSON cannot represent."""
    try:
        word.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{word!a} is not UTF-8 and cannot be sent in a request") from None


def _document_limit(model: str, choice: ModelChoice, taken: int) -> DocumentLimit:
    """The user's limit or the model's window, whichever is less; prefix and answer use `taken` tokens."""
    window, wanted = choice.window or profile_of(model).context_window, choice.max_doc_tokens
    room = None if window is None else max(int((window - _FRAME_TOKENS) / choice.token_ratio) - taken, 0)
    if room is not None and (wanted is None or wanted > room):
        return DocumentLimit(room, choice.truncate, f"that the window of {model} ({window:,}) leaves for it")
    return DocumentLimit(wanted, choice.truncate, "that --max-doc-tokens allows")


def _check_can_be_decided(task: Task) -> None:
    """Reject tasks with too long answers: with log-probabilities, each label of a multi-label field is decided."""
    for field in task.fields:
        if field.kind is FieldKind.multi and len(field.answers) > _MOST_DECISIONS:
            raise UsageError(
                f"--confidence logprobs decides each label separately, but field {field.name!r} has "
                f"{len(field.answers):,} labels, more than {_MOST_DECISIONS}",
                hint="omit --confidence: the model then states its confidence in each label that it gives",
            )


def _similar(
    loaded: LoadedTask, choice: ModelChoice, candidates: Candidates | None, *, decisions: bool
) -> SimilarExamples | None:
    """The chooser of examples per document; None if there is nothing to choose.

    Raises:
        UsageError: the required library is not installed, there is nothing to choose from, or labels are listed by
        level.
    """
    task, count = loaded.task, similar_count(loaded.task, choice.similar)
    if not count:
        return None
    if not task.pool and loaded.decided == ():
        raise UsageError(
            f"--examples similar:{count} chooses from the task's pool, but {task.name} has none",
            hint="add examples in [[pool]], or use another run's human decisions: --decisions RUN",
        )
    if isinstance(candidates, Descent):
        raise UsageError("similar examples cannot be combined with --candidates levels")
    require_search("--examples similar")
    return SimilarExamples(
        task, count, loaded.decided or (), candidates=candidates, reasoning=choice.reasoning, decisions=decisions
    )


def _listed_tokens(candidates: Candidates | None, similar: SimilarExamples | None) -> int:
    """Upper bound of the tokens before a document."""
    listed = 0 if candidates is None else count_tokens(candidates.longest_text())
    return listed + (0 if similar is None else count_tokens(similar.longest))


def _effort(task: Task, choice: ModelChoice) -> str | None:
    """The reasoning effort: the user's, or the task's; None uses the model's profile."""
    return choice.reasoning_effort or task.model.reasoning_effort


def _counted(prefixes: list[str], answers: list[str]) -> tuple[list[int], int]:
    """Tokens of each prefix, and of the longest answer."""
    counts = kept_counts([*prefixes, *answers])
    return counts[: len(prefixes)], max(counts[len(prefixes) :])


def _answer_ceiling(longest: int, *, reasoning: bool) -> int:
    """The longest answer with a margin, in tokens: the limit that stops runaway answers."""
    return int(longest * _ANSWER_MARGIN) + _WRAPPER_TOKENS + (_REASONING_TOKENS if reasoning else 0)


def _hash(data: dict[str, Any], size: int) -> str:
    return hashlib.blake2b(orjson.dumps(data), digest_size=size).hexdigest()
