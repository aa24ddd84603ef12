"""Right labels, to measure a run against."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from llmbatch.cli.options.option import Option, OptionGroup

if TYPE_CHECKING:
    from llmbatch.analysis.gold import GoldOptions

GOLD_PANEL = "Gold labels"

GOLD = Option(
    "Gold labels: .jsonl, .csv or .tsv with an id and a label; without ids, in the input's order.",
    brief="Gold labels: .jsonl, .csv or .tsv, id and label.",
    short="-g",
    metavar="FILE",
    shown_default=False,
    is_path=True,
    panel=GOLD_PANEL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldFieldOptions(OptionGroup):
    """Fields of a file with right labels."""

    panel: ClassVar[str] = GOLD_PANEL

    gold_id_field: Annotated[str | None, Option("Field of the gold file with the row id.")] = None
    label_field: Annotated[str | None, Option("Field of the gold file with the label.")] = None

    def to_gold(self, file: str) -> "GoldOptions":
        """The options in the form that the analyses take, with the file's name."""
        from llmbatch.analysis.gold import GoldOptions

        return GoldOptions(file, self.gold_id_field, self.label_field)
