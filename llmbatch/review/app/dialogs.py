"""Dialogs over the review screen: the label picker, a line to type, and the help."""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from llmbatch.core.sanitize import neutral
from llmbatch.task.fields import Label

HELP = """\
Each decision is saved at once. Quit whenever you like.

enter        the model's answer is right
1 2 3 a b    give the label with this key; with several labels,
             add or remove it; for a group, show its labels
backspace    back up one group of labels
/            pick a label by typing a few letters of it
=            type the whole value, in the model's format
s, space     skip this row for now
u            undo the last decision and return to its row
n            add a note to this row
f            find a row by its id or a word of its text
← →          previous row, next row
↑ ↓ pg home  scroll the document
ctrl+t       dark or light
q            quit

Rows with the same text are decided together. If another reviewer
decides differently at the same time, both decisions are kept as a
conflict, and the next decision resolves it.  (esc closes this)"""

_CLOSE: list[BindingType] = [Binding("escape", "dismiss", "close", show=False)]


def matching(labels: Sequence[Label], typed: str) -> Sequence[Label]:
    """The labels that contain every typed word, best first: at the start of the name, in the name, elsewhere."""
    words = typed.casefold().replace("_", " ").split()

    def rank(label: Label) -> int | None:
        name = label.name.casefold().replace("_", " ")
        spelled = " ".join((name, *label.aliases)).casefold()
        if not all(word in f"{spelled} {label.description.casefold()}" for word in words):
            return None
        if name.startswith(" ".join(words)):
            return 0
        return 1 if all(word in spelled for word in words) else 2

    ranked = [(rank(label), number) for number, label in enumerate(labels)]
    return [labels[number] for found, number in sorted((r, n) for r, n in ranked if r is not None)]


class LabelPicker(ModalScreen[str]):
    """A dialog to pick a label: type, choose, press enter."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *_CLOSE,
        Binding("down", "move(1)", show=False, priority=True),
        Binding("up", "move(-1)", show=False, priority=True),
    ]

    def __init__(self, labels: Sequence[Label], category: str | None) -> None:
        super().__init__()
        self._labels = sorted(labels, key=lambda label: label.name != category)
        self._shown: Sequence[Label] = self._labels

    def compose(self) -> ComposeResult:
        """Lay out the dialog."""
        with Vertical(classes="dialog"):
            yield Input(placeholder="type a few letters", id="typed")
            yield OptionList(id="found", markup=False)
            yield Static(id="description", markup=False)

    def on_mount(self) -> None:
        """Show all labels."""
        self.query_one(OptionList).can_focus = False
        self._list()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Narrow the list."""
        self._shown = matching(self._labels, event.value)
        self._list()

    def on_input_submitted(self) -> None:
        """Pick the highlighted label."""
        chosen = self.query_one(OptionList).highlighted
        if chosen is not None and self._shown:
            self.dismiss(self._shown[chosen].name)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Pick the clicked label."""
        self.dismiss(self._shown[event.option_index].name)

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Show what the label means."""
        self.query_one("#description", Static).update(neutral(self._shown[event.option_index].description))

    def action_move(self, by: int) -> None:
        """Move the highlight."""
        found = self.query_one(OptionList)
        if self._shown and found.highlighted is not None:
            found.highlighted = (found.highlighted + by) % len(self._shown)

    def _list(self) -> None:
        found = self.query_one(OptionList)
        found.clear_options()
        found.add_options([Option(Content(neutral(label.name, limit=200))) for label in self._shown])
        found.highlighted = 0 if self._shown else None
        if not self._shown:
            self.query_one("#description", Static).update("no label matches")


class LineDialog(ModalScreen[str]):
    """A dialog that asks for a line of text."""

    BINDINGS: ClassVar[list[BindingType]] = _CLOSE

    def __init__(self, title: str, value: str) -> None:
        super().__init__()
        self._title, self._value = title, value

    def compose(self) -> ComposeResult:
        """Lay out the dialog."""
        with Vertical(classes="dialog"):
            yield Static(self._title, markup=False)
            yield Input(self._value, id="typed")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Return the line."""
        self.dismiss(event.value)


class Help(ModalScreen[None]):
    """A dialog that explains the keys."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *_CLOSE,
        Binding("q,enter,question_mark", "dismiss", show=False, priority=True),
    ]

    def compose(self) -> ComposeResult:
        """Lay out the page."""
        with VerticalScroll(classes="dialog help"):
            yield Static(HELP, markup=False)
