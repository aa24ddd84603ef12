"""Detects which fields are the text by their content: the longest prose, preceded by its title."""

import math
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llmbatch.readers.names import is_exact_text, is_title, likelihood, rank, without_number

_LOOKED_AT = 2000
"""Characters per value."""
_PROSE_WORDS = 3.0
"""Of a value on average."""
_LETTERS = 0.6
"""Share of letters, spaces aside: dates, numbers and codes have fewer."""
_REPEATED = 0.5
"""Share of different values below which they are labels."""
_ROWS_TO_TELL_LABELS = 6
_RIVAL = 0.6
"""Share of the best field's score above which another field may also be the text."""
_SELDOM = 0.1
"""Share of the rows with a text in which a field may also occur that has the text of the other rows."""

_WITHOUT_SPACES = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
"""Characters of scripts that write words without spaces between them."""
_CHARACTERS_A_WORD = 2
_MARKS = "'\u2019,.!?"
"""Punctuation of which a short sentence may contain much."""
_ADDRESS = re.compile(r"\S*(://|@)\S*|/\S+|[\[{].*[\]}]", re.DOTALL)
"""Matches a value as a whole: a URL, an e-mail address, a path, JSON."""


class TwoTextsError(ValueError):
    """Several fields are equally likely to be the text; `names` are their names."""

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__(names)
        self.names = names


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    rows: frozenset[int]
    """Those that have a text in it."""
    characters: float
    words: float
    """Of a value on average."""
    is_coded: bool
    """Whether values are dates, numbers, codes or addresses."""
    is_repeated: bool
    """Whether values recur, as labels do."""
    distinct: float

    @property
    def is_prose(self) -> bool:
        is_label = self.is_repeated and not is_exact_text(self.name)
        return self.words >= _PROSE_WORDS and not self.is_coded and not is_label

    @property
    def score(self) -> float:
        return self.characters * self.distinct * likelihood(self.name) * math.sqrt(len(self.rows))


def text_fields(rows: Sequence[Mapping[str, Any]], *, but: str | None) -> tuple[str, ...]:
    """The fields that contain the text; none if nothing in these rows is prose.

    Args:
        rows: an input's first rows.
        but: the field of the id.

    Raises:
        TwoTextsError: two fields are equally likely.
    """
    fields = [field for field in _fields(rows) if field.name != but]
    bodies = [field for field in fields if not field.is_coded and (field.is_prose or is_exact_text(field.name))]
    if not any(field.is_prose for field in bodies):
        return ()
    chosen = [_best(bodies)]
    chosen += [field for field in bodies if field is not chosen[0] and _is_numbered_alike(field, chosen[0])]
    chosen += _of_other_rows(bodies, chosen)
    titles = [field for field in fields if field not in chosen and is_title(field.name) and not field.is_coded]
    order = {field.name: place for place, field in enumerate(fields)}
    return tuple(field.name for field in (*titles, *sorted(chosen, key=lambda field: order[field.name])))


def _best(fields: Sequence[_Field]) -> _Field:
    best = max(fields, key=lambda field: field.score)
    rivals = [field for field in fields if field.is_prose and field.score >= _RIVAL * best.score]
    rivals = [field for field in rivals if len(field.rows & best.rows) > _SELDOM * len(best.rows)]
    usual = [field for field in rivals if is_exact_text(field.name)]
    if usual:
        return min(usual, key=lambda field: rank(field.name))
    others = [field for field in rivals if field is not best and not _is_numbered_alike(field, best)]
    if others and not is_title(best.name):
        raise TwoTextsError(tuple(field.name for field in fields if field is best or field in others))
    return best


def _is_numbered_alike(one: _Field, other: _Field) -> bool:
    return without_number(one.name) == without_number(other.name)


def _of_other_rows(fields: Sequence[_Field], chosen: Sequence[_Field]) -> Iterator[_Field]:
    """Fields that contain the text of rows without a text in the chosen ones."""
    covered = frozenset[int]().union(*(field.rows for field in chosen))
    left = [field for field in fields if field not in chosen and not is_title(field.name)]
    while left:
        best = max(left, key=lambda field: len(field.rows - covered) * field.score)
        left.remove(best)
        if best.rows - covered and len(best.rows & covered) <= _SELDOM * len(covered):
            covered |= best.rows
            yield best


def _fields(rows: Sequence[Mapping[str, Any]]) -> Iterator[_Field]:
    values: dict[str, dict[int, str]] = {}
    for number, row in enumerate(rows):
        for name, value in row.items():
            if isinstance(value, str) and (text := value[:_LOOKED_AT].strip()):
                values.setdefault(name, {})[number] = text
    for name, texts in values.items():
        yield _field(name, texts)


def _field(name: str, texts: Mapping[int, str]) -> _Field:
    count = len(texts)
    distinct = len(set(texts.values())) / count
    coded = sum(_is_coded(text) for text in texts.values())
    return _Field(
        name,
        frozenset(texts),
        characters=sum(map(len, texts.values())) / count,
        words=sum(map(_words, texts.values())) / count,
        is_coded=coded * 2 > count,
        is_repeated=count >= _ROWS_TO_TELL_LABELS and distinct <= _REPEATED,
        distinct=distinct,
    )


def _words(text: str) -> float:
    return len(text.split()) + len(_WITHOUT_SPACES.findall(text)) / _CHARACTERS_A_WORD


def _is_coded(text: str) -> bool:
    solid = [character for character in text[:200] if not character.isspace()]
    letters = sum(unicodedata.category(character)[0] in "LM" or character in _MARKS for character in solid)
    return letters < _LETTERS * len(solid) or _ADDRESS.fullmatch(text) is not None
