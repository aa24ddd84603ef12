"""What is asked, and of which model."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from llmbatch.cli.completion import models, run_folders, tasks
from llmbatch.cli.options.option import Option, OptionGroup
from llmbatch.core import defaults
from llmbatch.core.rows import ConfidenceKind, Truncation
from llmbatch.task.prefix_policy import PrefixPolicy

if TYPE_CHECKING:
    from llmbatch.cli.options.sending import SendingOptions
    from llmbatch.engine.plan import ModelChoice


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskOptions(OptionGroup):
    """The task, the model, and what goes into a request."""

    panel: ClassVar[str] = "Task and model"

    task: Annotated[
        str | None,
        Option(
            "Task file, or the name of a packaged one.",
            brief=True,
            metavar="FILE|NAME",
            completer=tasks,
            flags=("--task", "--prompt", "-p"),
            variables=("LLMBATCH_TASK", "LLMBATCH_PROMPT"),
            shown_default="default",
            is_path=True,
        ),
    ] = None
    model: Annotated[
        str | None,
        Option(
            f"Model to use. Default: the task's, else {defaults.MODEL}.",
            brief=f"Model; without it the task's, else {defaults.MODEL}.",
            short="-m",
            metavar="M",
            completer=models,
        ),
    ] = None
    reasoning: Annotated[bool, Option("Also ask for a short rationale.")] = False
    temperature: Annotated[float | None, Option("For models that accept one.", min=0, max=2)] = None
    reasoning_effort: Annotated[str | None, Option("For reasoning models.", shown_default="the lowest")] = None
    max_output_tokens: Annotated[
        int | None,
        Option(
            "Output limit of an answer, in tokens.",
            min=1,
            max=defaults.MOST_TOKENS,
            shown_default="by the longest label",
        ),
    ] = None
    max_doc_tokens: Annotated[
        int | None,
        Option(
            "Maximum tokens of a document; longer ones fail unsent, or are cut by --truncate.",
            min=16,
            max=defaults.MOST_TOKENS,
            shown_default="what the model's window leaves",
        ),
    ] = None
    truncate: Annotated[
        Truncation | None,
        Option("Cut documents that are too long: keep the head, or head and tail in equal parts."),
    ] = None
    prefix: Annotated[
        PrefixPolicy,
        Option("How many of the task's pool of examples are sent: what makes the run cheapest, none, or all."),
    ] = PrefixPolicy.AUTO
    examples: Annotated[
        str | None,
        Option(
            "Of the task's pool: similar:N puts the N examples most like a document before it, behind the prefix, out "
            "of the pool and of people's decisions; pool leaves them to --prefix.",
            metavar="pool|similar:N",
            shown_default="the task's, else pool",
        ),
    ] = None
    decisions: Annotated[
        Path | None,
        Option(
            "Another run whose human decisions also serve as examples for similar:N.",
            metavar="RUN",
            completer=run_folders,
        ),
    ] = None
    candidates: Annotated[
        str | None,
        Option(
            "Labels to list in a request, of fields that have more: those that fit the document best; all of them; "
            "level by level, for labels in groups; or auto, which decides by price and by what is found.",
            metavar="N|levels|all|auto",
            shown_default="the task's, else all that a schema takes",
        ),
    ] = None
    embedding_model: Annotated[
        str | None,
        Option(
            "With --candidates N: retrieve the labels by this model's embeddings, from the same endpoint, instead of "
            "by their words.",
            metavar="M",
            shown_default="the task's, else by words",
        ),
    ] = None
    confidence: Annotated[
        ConfidenceKind,
        Option("As stated by the model, or measured from the log-probabilities of its label tokens."),
    ] = ConfidenceKind.reported

    def to_candidates(self) -> int | None:
        """The number of labels to list, `ALL_LABELS`, `LABELS_BY_LEVEL` or `PLANNED_LABELS`.

        Raises:
            UsageError: it is none of them.
        """
        from llmbatch.core.errors import UsageError

        words = {
            None: None,
            "all": defaults.ALL_LABELS,
            "auto": defaults.PLANNED_LABELS,
            "levels": defaults.LABELS_BY_LEVEL,
        }
        if self.candidates in words:
            return words[self.candidates]
        least, most = defaults.LEAST_CANDIDATES, defaults.MOST_CANDIDATES
        text = str(self.candidates)
        if not text.isdecimal() or not least <= int(text) <= most:
            raise UsageError(
                f"--candidates {text!r} is neither a number from {least} to {most} nor levels, all or auto"
            )
        return int(text)

    def to_similar(self) -> int | None:
        """The number of examples to choose for each document; None leaves it to the task.

        Raises:
            UsageError: it is neither `pool` nor `similar:N`.
        """
        from llmbatch.core.errors import UsageError

        if self.examples in (None, "pool"):
            return None if self.examples is None else 0
        word, _, number = str(self.examples).partition(":")
        if word != "similar" or not number.isdecimal() or not 1 <= int(number) <= defaults.MOST_SIMILAR:
            most = defaults.MOST_SIMILAR
            raise UsageError(f"--examples {self.examples!r} is neither pool nor similar:N, with N from 1 to {most}")
        return int(number)

    def to_choice(self, sending: "SendingOptions") -> "ModelChoice":
        """The options in the form that the engine takes, with the tier and the wire protocol of the requests."""
        from llmbatch.engine.plan import ModelChoice

        return ModelChoice(
            model=self.model,
            temperature=self.temperature,
            reasoning_effort=self.reasoning_effort,
            max_output_tokens=self.max_output_tokens,
            reasoning=self.reasoning,
            max_doc_tokens=self.max_doc_tokens,
            truncate=self.truncate,
            prefix=self.prefix,
            confidence=self.confidence,
            candidates=self.to_candidates(),
            embedding_model=self.embedding_model,
            similar=self.to_similar(),
            service_tier=sending.service_tier,
            dialect=sending.dialect,
        )
