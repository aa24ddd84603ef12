"""Rows in batch files."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from llmbatch.cli import bounds
from llmbatch.cli.options.option import Option, OptionGroup
from llmbatch.core import defaults
from llmbatch.runs.batches.options import BatchFallback

if TYPE_CHECKING:
    from llmbatch.runs.batches.options import BatchOptions as Options


_MOST_PATIENCE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOptions(OptionGroup):
    """Whether rows go to the provider in batch files, and how."""

    panel: ClassVar[str] = "Batches"

    batch: Annotated[
        bool,
        Option("Submit rows in batch files, collect what is ready, and exit with code 7 while rows are outstanding."),
    ] = False
    cheapest: Annotated[
        bool,
        Option("Use the cheapest way that should meet --deadline: single requests, the flex tier, or batches."),
    ] = False
    batch_wait: Annotated[
        str | None,
        Option("Wait this long, or until this time of day, and collect.", metavar="6h|HH:MM", shown_default="leave"),
    ] = None
    batch_window: Annotated[str, Option("Time the provider has to answer, in its own notation.", metavar="24h")] = (
        defaults.BATCH_WINDOW
    )
    batch_size: Annotated[int, Option("Maximum rows in a batch.", min=1, max=defaults.BATCH_SIZE)] = defaults.BATCH_SIZE
    batch_tokens: Annotated[
        int | None,
        Option(
            "Prompt tokens that may be at the provider at once.",
            metavar="TOKENS",
            min=1,
            max=bounds.MOST_WHOLE,
            shown_default="what the provider says",
        ),
    ] = None

    batch_fallback: Annotated[
        BatchFallback,
        Option("Send rows that keep expiring as single requests: at the standard price, or at the flex tier."),
    ] = BatchFallback.NONE
    batch_export: Annotated[
        Path | None,
        Option(
            "Write the request files there instead, for vllm run-batch or another operator.",
            metavar="FOLDER",
            is_sensitive=True,
        ),
    ] = None
    batch_import: Annotated[
        list[Path] | None,
        Option(
            "Results of exported request files; nothing is submitted then. Repeatable.",
            metavar="FILE",
            is_sensitive=True,
        ),
    ] = None
    batch_patience: Annotated[
        int, Option("Batches in which a row may expire before --batch-fallback takes it.", min=1, max=_MOST_PATIENCE)
    ] = defaults.BATCH_PATIENCE

    def to_batch(self, *, at_any_price: bool = False) -> "Options | None":
        """The options in the form that a run takes; None if rows are sent as single requests.

        Args:
            at_any_price: submit all at once, even if single requests cost less.

        Raises:
            UsageError: one cannot be parsed, or they cannot be combined.
        """
        from llmbatch.core.errors import UsageError

        if self.batch and self.cheapest:
            raise UsageError("--batch and --cheapest contradict each other", hint="give one of them")
        if self.batch_wait is not None and not (self.batch or self.cheapest):
            raise UsageError("--batch-wait needs --batch or --cheapest")
        if (self.batch_export is not None or self.batch_import) and not self.batch:
            raise UsageError("--batch-export and --batch-import need --batch")
        return self._options(at_any_price=at_any_price) if self.batch else None

    def to_cheapest(self) -> "Options | None":
        """How rows are put into batches if that is the cheapest way; None if the way is not chosen automatically.

        Raises:
            UsageError: one cannot be parsed.
        """
        return self._options(at_any_price=False) if self.cheapest else None

    def _options(self, *, at_any_price: bool) -> "Options":
        from llmbatch.runs.batches.options import BatchOptions as Options
        from llmbatch.runs.options import parse_deadline

        return Options(
            wait_s=0.0 if self.batch_wait is None else parse_deadline(self.batch_wait, option="--batch-wait"),
            window=self.batch_window,
            most_rows=self.batch_size,
            most_tokens=self.batch_tokens,
            fallback=self.batch_fallback,
            patience=self.batch_patience,
            export=self.batch_export,
            imports=tuple(self.batch_import or ()),
            at_any_price=at_any_price,
        )
