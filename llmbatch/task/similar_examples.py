"""Chooses the examples most similar to each document, to precede it in its message.

They come from the task's pool and from human decisions about other documents.

The prefix stays the same for all rows and stays cached; only the chosen examples are paid for in full.
"""

import hashlib
from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import islice

import orjson

from llmbatch.task.candidates import Candidates, Shortlist
from llmbatch.task.label_space import LabelSpace
from llmbatch.task.model import Example, Task
from llmbatch.task.prefix import similar_section
from llmbatch.task.text_search import METHOD, TextSearch

LONGEST_EXAMPLE = 2_000
"""Maximum characters of a decided text used as an example: a longer one is not worth its cost."""

_LOOKED_AT = 200
"""Number of most similar examples considered: others have little in common with a document."""


class SimilarExamples:
    """Chooses examples from a task's pool and from human decisions."""

    def __init__(
        self,
        task: Task,
        count: int,
        decided: Sequence[Example],
        *,
        candidates: Candidates | None,
        reasoning: bool,
        decisions: bool,
    ) -> None:
        """Set the sources and the form of the examples.

        Args:
            task: the task with the pool.
            count: examples for each document.
            decided: human decisions.
            candidates: lists labels for each document; None if all are in the prefix. Answers are then numbers of that
                list, and an example whose label is not on it is not used.
            reasoning: whether answers include a short rationale, as in the prefix.
            decisions: whether answers say true or false for each label, as in the prefix.
        """
        self._task = task
        known = {same_text(one.text) for one in task.pool}
        self._decided = [one for one in decided if same_text(one.text) not in known]
        self._examples = (*task.pool, *self._decided)
        self.count = min(count, len(task.pool)) if task.pool else count
        self._candidates = candidates
        self._reasoning, self._decisions = reasoning, decisions
        self._search = TextSearch(lambda: (example.text for example in self._examples))
        self.asked: Callable[[str], str] = lambda text: text
        """The part of a text that is sent, if long ones are truncated."""

    @property
    def summary(self) -> str:
        """A summary, in one clause."""
        of = f"the pool's {len(self._task.pool):,}"
        if self._decided:
            of += f" and {len(self._decided):,} human decisions"
        return f"{self.count} similar examples from {of} precede each document"

    @property
    def digest(self) -> str:
        """Digest of everything that determines the examples, except human decisions."""
        pool = [example.model_dump() for example in self._task.pool]
        return hashlib.blake2b(orjson.dumps([METHOD, self.count, pool]), digest_size=8).hexdigest()

    def before(self, text: str, shortlist: Shortlist) -> str:
        """The examples before a document, the most similar last, without any that has the document's own text.

        `shortlist`: the labels listed before it.
        """
        if not self._examples:
            return ""
        own = same_text(text)
        found = (self._examples[place] for place in self._search.ranked(text))
        pairs = ((one, self._answer(one, shortlist)) for one in found if not self._is_same(one.text, own))
        usable = ((one, answer) for one, answer in islice(pairs, _LOOKED_AT) if answer is not None)
        space = self._task.label_space if self._candidates is None else self._candidates.space
        return self._section(space, list(islice(usable, self.count)))

    @cached_property
    def longest(self) -> str:
        """The longest possible section."""
        longest = sorted(self._examples, key=lambda one: len(one.text), reverse=True)[: self.count]
        return self._section(self._task.label_space, [(one, self._task.value_of(one)) for one in longest])

    def _is_same(self, text: str, own: str) -> bool:
        """Whether an example's text is the document's own, which may have been truncated."""
        return own in (same_text(text), same_text(self.asked(text)))

    def _answer(self, example: Example, shortlist: Shortlist) -> str | None:
        value = self._task.value_of(example)
        return value if self._candidates is None else self._candidates.numbered(value, shortlist)

    def _section(self, space: LabelSpace, examples: list[tuple[Example, str]]) -> str:
        if not examples:
            return ""
        return similar_section(space, examples[::-1], reasoning=self._reasoning, decisions=self._decisions)


def similar_count(task: Task, wish: int | None) -> int:
    """How many examples are chosen for each document: the user's setting, else the task's; 0 for none."""
    return (task.model.similar_examples or 0) if wish is None else wish


def same_text(text: str) -> str:
    """A key shared by texts that differ only in case and space, one of which would give away the other's label."""
    return " ".join(text.split()).casefold()
