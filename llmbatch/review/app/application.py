"""The review application: one screen that shows one row at a time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from llmbatch.core.errors import LLMBatchError
from llmbatch.core.sanitize import neutral
from llmbatch.review.app import panes
from llmbatch.review.app.dialogs import Help, LabelPicker, LineDialog
from llmbatch.review.app.keys import LabelKeys
from llmbatch.review.draft import Draft, choosable
from llmbatch.review.session import ReviewSession
from llmbatch.task.label_space import LabelSpace

_LOOK_EVERY_S = 1.0
_SIDES = 4
_LINES_NEEDED = 26
"""Lines reserved for the document and the rest before labels may use one line each."""
_LARGE = 100, 30
"""Minimum columns and lines of a large screen."""
_LINES_AROUND = 6
"""Lines of the header, the reason line and the key line, with their margins."""
_LEAST_PAGE = 4
_DARK, _LIGHT = "textual-dark", "textual-light"


@dataclass(frozen=True, slots=True)
class Setting:
    """What stays the same for all rows."""

    run: str
    task: str
    space: LabelSpace
    of_sample: bool
    examples: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """The task's example texts by label, if it takes one label."""
    is_light: bool = False


class ReviewScreen(Screen[None]):
    """The row under review."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "accept", priority=True, show=False),
        Binding("slash", "pick", show=False),
        Binding("equals_sign", "type", show=False),
        Binding("backspace", "leave_group", show=False),
        Binding("s,space", "skip", show=False),
        Binding("u", "undo", show=False),
        Binding("n", "note", show=False),
        Binding("f", "find", show=False),
        Binding("left", "step(-1)", priority=True, show=False),
        Binding("right", "step(1)", priority=True, show=False),
        Binding("question_mark", "help", show=False),
        Binding("q", "app.quit", show=False),
    ]

    def __init__(self, session: ReviewSession, setting: Setting) -> None:
        super().__init__()
        self._session = session
        self._setting = setting
        self._labels = choosable(setting.space)
        self._keys = LabelKeys(self._labels, setting.space, setting.examples)
        self._meanings = {label.name: label.description for label in self._labels}
        self._drafted: tuple[object, Draft] = None, Draft(setting.space, None)
        self._wanted = ""

    def compose(self) -> ComposeResult:
        """Lay out the screen."""
        with Horizontal(id="head"):
            yield Static(Content(neutral(f"{self._setting.run} · {self._setting.task}", limit=60)), id="run")
            yield Static(id="progress")
        yield Static(id="why")
        with VerticalScroll(id="page"):
            yield Static(id="document")
        with Vertical(id="asked"):
            yield Static(id="answer")
            yield Static(id="labels")
            yield Static(id="sample")
            yield Static(id="said")
        yield Static(id="keys")

    def on_mount(self) -> None:
        """Show the first row, and check every second for others' decisions."""
        self.query_one("#page").focus()
        self._show()
        self.set_interval(_LOOK_EVERY_S, self._look)

    def on_resize(self) -> None:
        """Lay the labels out again."""
        self._show()

    def on_key(self, event: events.Key) -> None:
        """Give the label assigned to the key, if any."""
        label = self._keys.keys.get(event.character or "")
        if label is not None and self._session.item is not None:
            event.stop()
            if self._keys.enter(label):
                self._show_group()
            else:
                self._choose(label.name)

    def action_accept(self) -> None:
        """Accept the value shown: the model's, or the edited one."""
        item, draft = self._session.item, self._draft()
        if item is None:
            return
        if draft.text is not None:
            self._decide(draft.text)
        elif item.category is None and len(draft.missing) == len(self._setting.space.columns()):
            self._say("The model gave no label: give it one.", "warning")
        else:
            self._say(f"No value yet: {', '.join(draft.missing)}.", "warning")

    def action_pick(self) -> None:
        """Pick a label by name."""
        item = self._session.item
        if item is not None:
            self.app.push_screen(LabelPicker(self._labels, item.category), self._picked)

    def action_leave_group(self) -> None:
        """Go back up one group of labels."""
        self._keys.leave()
        self._show_group()

    def action_type(self) -> None:
        """Type the whole value."""
        if self._session.item is not None:
            value = self._draft().text or self._session.item.category or ""
            self.app.push_screen(LineDialog("Value (enter to save, esc to cancel)", value), self._typed)

    def action_skip(self) -> None:
        """Skip the row, or return to the skipped ones."""
        if self._session.item is None:
            self._session.return_to_skipped()
        else:
            self._session.skip()
        self._say("")
        self._show()

    def action_undo(self) -> None:
        """Undo the last decision."""
        self._do(self._session.undo, "Undone.")

    def action_note(self) -> None:
        """Write a note."""
        decision = self._session.decision
        if self._session.item is not None:
            note = decision.note if decision is not None else None
            self.app.push_screen(LineDialog("Note (enter to save, esc to cancel)", note or ""), self._noted)

    def action_find(self) -> None:
        """Find a row."""
        self.app.push_screen(LineDialog("Find an id or a word (repeat for the next match)", self._wanted), self._found)

    def action_step(self, by: int) -> None:
        """Go to the next or previous row."""
        self._session.step(by)
        self._say("")
        self._show()

    def action_help(self) -> None:
        """Show what the keys do."""
        self.app.push_screen(Help())

    def _picked(self, label: str | None) -> None:
        if label is not None:
            self._choose(label)

    def _typed(self, text: str | None) -> None:
        value = None if text is None else self._setting.space.spelled(text)
        if value is not None:
            self._decide(value)
        elif text is not None:
            self._say(f"{text!r} is not a valid value for this task.", "warning")

    def _choose(self, label: str) -> None:
        """Decide on the label if the task takes only one, else add it to the draft."""
        if self._setting.space.takes_one_label:
            self._decide(label)
        elif self._session.item is not None:
            self._draft().choose(label)
            self._say("")
            self._show(is_same=True)

    def _show_group(self) -> None:
        path = " > ".join(self._keys.path)
        self._say(f"{path}  (backspace to go back)" if path else "")
        self._show(is_same=True)

    def _draft(self) -> Draft:
        """The value being edited; a new one for each row."""
        item, decision = self._session.item, self._session.decision
        if item is not self._drafted[0]:
            settled = decision.category if decision is not None and decision.is_settled else None
            of_model = None if item is None else item.category
            is_one = self._setting.space.takes_one_label
            self._keys.begin(item)
            self._drafted = item, Draft(self._setting.space, of_model if is_one else settled or of_model)
        return self._drafted[1]

    def _noted(self, text: str | None) -> None:
        if text is not None:
            self._do(lambda: self._session.note(text), "Noted.")

    def _found(self, wanted: str | None) -> None:
        if wanted:
            self._wanted = wanted
            is_there = self._session.find(wanted)
            self._say("" if is_there else f"No row here contains {wanted!r}.", "" if is_there else "warning")
            self._show()

    def _decide(self, label: str) -> None:
        item = self._session.item
        if item is None:
            return
        message = f"{neutral(str(item.id), limit=40)}: {neutral(label, limit=60)}  (u to undo)"
        self._do(lambda: self._session.decide(label), message)

    def _do(self, act: Callable[[], str | None], message: str = "") -> None:
        """Perform an action that writes to the log, and report the outcome."""
        try:
            warning = act()
        except LLMBatchError as error:
            self._say(f"Not saved: {error.message}", "error")
            return
        self._say(warning or message, "warning" if warning else "")
        self._show()

    def _look(self) -> None:
        before = self._session.item
        try:
            news = self._session.refresh()
        except LLMBatchError as error:
            self._say(error.message, "error")
            return
        if news is not None:
            self._say(news, "warning")
        self._show(is_same=before is self._session.item)

    def _say(self, text: str, kind: str = "") -> None:
        said = self.query_one("#said", Static)
        said.set_classes(kind)
        said.update(Content(neutral(text)))

    def _show(self, *, is_same: bool = False) -> None:
        session, item = self._session, self._session.item
        draft, width, lines = self._draft(), self.size.width - _SIDES, self.size.height - _LINES_NEEDED
        self._update("#progress", panes.progress_line(session.progress, session.reviewer))
        if item is None:
            self._update("#why", Content(""))
            self._update("#document", panes.finished(session, of_sample=self._setting.of_sample))
            self._update("#answer", Content(""))
        else:
            self._update("#why", panes.why_line(item, session.copies))
            if not is_same:
                self._update("#document", panes.document(item))
                self.query_one("#page", VerticalScroll).scroll_home(animate=False)
            meaning = "" if len(self._keys.keys) in range(1, lines + 1) else self._meanings.get(item.category or "", "")
            self._update("#answer", panes.answer(item, session.decision, draft.text, meaning=meaning, width=width))
        shown = panes.labels(self._keys.keys, self._keys.marked(draft.parts), width=width, lines=lines)
        self._update("#labels", panes.with_others(shown, len(self._labels)) if self._keys.is_partial else shown)
        if self._setting.of_sample:
            self.query_one("#sample").display = True
            self._update("#sample", panes.sample_line(session.error_rate))
        self._bring_near()
        can_accept = draft.text is not None
        self._update("#keys", panes.keys_line(self._keys.keys, item, can_accept=can_accept, width=self.size.width))

    def _bring_near(self) -> None:
        """Place the answer and the labels right below the text on a large screen, at the bottom on a small one."""
        page, asked = self.query_one("#page"), self.query_one("#asked")
        is_large = self.size.width >= _LARGE[0] and self.size.height >= _LARGE[1]
        page.set_class(is_large, "near")
        if is_large:
            taken = asked.get_content_height(self.size, self.size, self.size.width) + _LINES_AROUND
            page.styles.max_height = max(self.size.height - taken, _LEAST_PAGE)

    def _update(self, where: str, content: Content) -> None:
        self.query_one(where, Static).update(content)


class ReviewApp(App[None]):
    """Full-screen review of a queue."""

    CSS_PATH = Path(__file__).with_name("style.tcss")
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+t", "switch_theme", priority=True, show=False),
        Binding("ctrl+c", "quit", priority=True, show=False),
    ]

    def __init__(self, session: ReviewSession, setting: Setting) -> None:
        super().__init__()
        self._session = session
        self._setting = setting

    def on_mount(self) -> None:
        """Set the theme and show the first row."""
        self.theme = _LIGHT if self._setting.is_light else _DARK
        self.push_screen(ReviewScreen(self._session, self._setting))

    def action_switch_theme(self) -> None:
        """Toggle the dark and the light theme."""
        self.theme = _LIGHT if self.theme == _DARK else _DARK
