"""Examples chosen for each document: those that have most in common with it, before it in its message.

They are of the task's pool, and what people decided about other documents.

The prefix stays the same for all rows, and in the cache; only the chosen examples are paid for in full.
"""

import hashlib
from collections.abc import Sequence
from functools import cached_property
from itertools import islice

import orjson

from llmbatch.task.model import Example, Task
from llmbatch.task.prefix import similar_section
from llmbatch.task.text_search import METHOD, TextSearch

LONGEST_EXAMPLE = 2_000
"""Characters of a decided text that becomes an example: a longer one costs more than it teaches."""


class SimilarExamples:
    """Chooses examples out of a task's pool and of people's decisions."""

    def __init__(self, task: Task, count: int, decided: Sequence[Example], *, reasoning: bool, decisions: bool) -> None:
        """What is chosen from, and how.

        Args:
            task: whose pool it is.
            count: examples for each document.
            decided: what people decided.
            reasoning: as in the prefix, a part of the form of answers; so is `decisions`.
            decisions: whether answers say true or false of each label.
        """
        self._task = task
        known = {same_text(one.text) for one in task.pool}
        self._decided = [one for one in decided if same_text(one.text) not in known]
        self._examples = (*task.pool, *self._decided)
        self.count = min(count, len(task.pool)) if task.pool else count
        self._reasoning, self._decisions = reasoning, decisions
        self._search = TextSearch(lambda: (example.text for example in self._examples))

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

    def before(self, text: str) -> str:
        """The examples before a document, the likest last. One with the document's very text would give it away."""
        if not self._examples:
            return ""
        own = same_text(text)
        found = (self._examples[place] for place in self._search.ranked(text))
        return self._section(list(islice((one for one in found if same_text(one.text) != own), self.count)))

    @cached_property
    def longest(self) -> str:
        """The longest section that there can be."""
        return self._section(sorted(self._examples, key=lambda one: len(one.text), reverse=True)[: self.count])

    def _section(self, examples: list[Example]) -> str:
        if not examples:
            return ""
        return similar_section(self._task, examples[::-1], reasoning=self._reasoning, decisions=self._decisions)


def similar_count(task: Task, wish: int | None) -> int:
    """How many examples are chosen for each document: the user's word, else the task's; 0 for none."""
    return (task.model.similar_examples or 0) if wish is None else wish


def same_text(text: str) -> str:
    """What two texts have in common that differ in case and space alone: the one would give the other's label away."""
    return " ".join(text.split()).casefold()
