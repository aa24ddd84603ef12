"""Examples chosen for each document: those of the pool that have most in common with it, before it in its message.

The prefix stays the same for all rows, and in the cache; only the chosen examples are paid for in full.
"""

import hashlib
from functools import cached_property
from itertools import islice

import orjson

from llmbatch.task.model import Example, Task
from llmbatch.task.prefix import similar_section
from llmbatch.task.text_search import METHOD, TextSearch


class SimilarExamples:
    """Chooses examples out of a task's pool."""

    def __init__(self, task: Task, count: int, *, reasoning: bool, decisions: bool) -> None:
        """`count` of them for each document; `reasoning` and `decisions` are the form of answers, as in the prefix."""
        self._task = task
        self.count = min(count, len(task.pool))
        self._reasoning, self._decisions = reasoning, decisions
        self._search = TextSearch(lambda: (example.text for example in task.pool))

    @property
    def summary(self) -> str:
        """What is done, in a clause."""
        return f"{self.count} similar examples of the pool's {len(self._task.pool):,} stand before each document"

    @property
    def digest(self) -> str:
        """Of all that decides which examples these are."""
        pool = [example.model_dump() for example in self._task.pool]
        return hashlib.blake2b(orjson.dumps([METHOD, self.count, pool]), digest_size=8).hexdigest()

    def before(self, text: str) -> str:
        """The examples before a document, the likest last. One with the document's very text would give it away."""
        found = (self._task.pool[place] for place in self._search.ranked(text))
        return self._section(list(islice((one for one in found if one.text.strip() != text.strip()), self.count)))

    @cached_property
    def longest(self) -> str:
        """The longest section that there can be."""
        return self._section(sorted(self._task.pool, key=lambda one: len(one.text), reverse=True)[: self.count])

    def _section(self, examples: list[Example]) -> str:
        return similar_section(self._task, examples[::-1], reasoning=self._reasoning, decisions=self._decisions)
