"""The labels most likely for a text: the model's answer, its runner-up, and those with the most words in common."""

import heapq
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence

from llmbatch.review.item import ReviewItem
from llmbatch.task.fields import Label

_WORD = re.compile(r"[^\W_]+")
_STEM = 5
"""Characters of a word that are compared, so that `charged` and `charges` match."""
_NAME_WEIGHT = 2.0
"""Weight of a word in a label's name, relative to one in its description."""
_ANSWER_WEIGHT = 0.3
"""Weight of a word in the model's label, relative to one in the text."""
_LONGEST_TEXT = 20_000


class LikelyLabels:
    """Ranks a task's labels for a text by shared words; rare words count more (inverse frequency)."""

    def __init__(self, labels: Sequence[Label], examples: Mapping[str, Sequence[str]]) -> None:
        """`examples` are the task's example texts by label."""
        self._labels = {label.name: label for label in labels}
        self._words = {label.name: _label_words(label, examples.get(label.name, ())) for label in labels}
        frequency = Counter(word for words in self._words.values() for word in words)
        self._rarity = {word: math.log(1 + len(labels) / count) for word, count in frequency.items()}

    def nearest(self, item: ReviewItem, most: int) -> Sequence[Label]:
        """The most likely labels for an item, best first.

        Args:
            item: the text, with the model's answer.
            most: how many.
        """
        first = [name for name in (item.category, item.runner_up) if name in self._labels]
        wanted = dict.fromkeys((stem for name in first for stem in _stems(name)), _ANSWER_WEIGHT)
        wanted |= dict.fromkeys(_stems(item.text[:_LONGEST_TEXT]), 1.0)
        scores = {name: self._score(wanted, words) for name, words in self._words.items() if name not in first}
        others = heapq.nlargest(most, scores, key=scores.__getitem__)
        return [self._labels[name] for name in dict.fromkeys([*first, *others])][:most]

    def _score(self, wanted: Mapping[str, float], words: Mapping[str, float]) -> float:
        shared = sum(self._rarity[word] * weight * words[word] for word, weight in wanted.items() if word in words)
        length = math.sqrt(sum((self._rarity[word] * weight) ** 2 for word, weight in words.items()))
        return shared / length if length else 0.0


def _label_words(label: Label, examples: Sequence[str]) -> Mapping[str, float]:
    words = dict.fromkeys((stem for text in (label.description, *examples) for stem in _stems(text)), 1.0)
    return words | dict.fromkeys((stem for name in (label.name, *label.aliases) for stem in _stems(name)), _NAME_WEIGHT)


def _stems(text: str) -> Sequence[str]:
    return [word[:_STEM] for word in _WORD.findall(text.casefold())]
