"""The answer cache."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from llmbatch.cli import bounds
from llmbatch.cli.options.option import Option, OptionGroup
from llmbatch.core import defaults

if TYPE_CHECKING:
    from llmbatch.cache.options import Reuse


@dataclass(frozen=True, slots=True, kw_only=True)
class ReuseOptions(OptionGroup):
    """Whether answers of earlier runs are used, and which."""

    panel: ClassVar[str] = "Answers of earlier runs"

    reuse: Annotated[
        bool,
        Option(
            "Use cached answers for the same text and plan, and cache this run's answers for later runs.",
            brief="Use cached answers of earlier runs.",
        ),
    ] = False
    reuse_store: Annotated[
        Path | None,
        Option("The answer cache's file.", metavar="FILE", shown_default="the user's cache folder", is_sensitive=True),
    ] = None
    reuse_limit: Annotated[
        int,
        Option(
            "Maximum size in megabytes; the least recently used answers are deleted first.",
            metavar="MB",
            min=1,
            max=bounds.MOST_MEGABYTES,
        ),
    ] = defaults.REUSE_LIMIT_MB
    reuse_max_age: Annotated[
        float | None,
        Option("Ignore older answers.", metavar="DAYS", min=0, max=bounds.MOST_DAYS, shown_default="any age"),
    ] = None

    def to_reuse(self) -> "Reuse | None":
        """The options in the form that the cache takes; None if no earlier answers are used."""
        from llmbatch.cache.options import Reuse

        return Reuse(self.reuse_store, self.reuse_limit * 1_000_000, self.reuse_max_age) if self.reuse else None
