"""Examples chosen for each document: those that have most in common with it, before it in its message.

They are of the task's pool, and what people decided about other documents.

The prefix stays the same for all rows, and in the cache; only the chosen examples are paid for in full.
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
"""Characters of a decided text that becomes an example: a longer one costs more than it teaches."""

_LOOKED_AT = 200
"""Of the likest examples: further ones have little in common with a document, whatever their label."""


class SimilarExamples:
    """Chooses examples out of a task's pool and of people's decisions."""

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
        """What is chosen from, and how.

        Args:
            task: whose pool it is.
            count: examples for each document.
            decided: what people decided.
            candidates: lists labels for each document, where they are listed so: answers are then numbers of that list,
                and an example whose label is not on it is none.
            reasoning: as in the prefix, a part of the form of answers; so is `decisions`.
            decisions: whether answers say true or false of each label.
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
        """What of a text is asked about, where long ones are cut."""

    @property
    def summary(self) -> str:
        """What is done, in a clause."""
        of = f"the pool's {len(self._task.pool):,}"
        if self._decided:
            of += f" and people's {len(self._decided):,} decisions"
        return f"{self.count} similar examples of {of} stand before each document"

    @property
    def digest(self) -> str:
        """Of all that decides which examples these are, but people's decisions."""
        pool = [example.model_dump() for example in self._task.pool]
        return hashlib.blake2b(orjson.dumps([METHOD, self.count, pool]), digest_size=8).hexdigest()

    def before(self, text: str, shortlist: Shortlist) -> str:
        """The examples before a document, the likest last. One with the document's very text would give it away.

        `shortlist`: the labels that are listed before it.
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
        """The longest section that there can be."""
        longest = sorted(self._examples, key=lambda one: len(one.text), reverse=True)[: self.count]
        return self._section(self._task.label_space, [(one, self._task.value_of(one)) for one in longest])

    def _is_same(self, text: str, own: str) -> bool:
        """Whether an example's text is a document's own, which may have been cut."""
        return own in (same_text(text), same_text(self.asked(text)))

    def _answer(self, example: Example, shortlist: Shortlist) -> str | None:
        value = self._task.value_of(example)
        return value if self._candidates is None else self._candidates.numbered(value, shortlist)

    def _section(self, space: LabelSpace, examples: list[tuple[Example, str]]) -> str:
        if not examples:
            return ""
        return similar_section(space, examples[::-1], reasoning=self._reasoning, decisions=self._decisions)


def similar_count(task: Task, wish: int | None) -> int:
    """How many examples are chosen for each document: the user's word, else the task's; 0 for none."""
    return (task.model.similar_examples or 0) if wish is None else wish


def same_text(text: str) -> str:
    """What two texts have in common that differ in case and space alone: the one would give the other's label away."""
    return " ".join(text.split()).casefold()
