"""Chooses an input's fields: those that the user names, else those of an earlier session, else by its first rows."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from llmbatch.core.errors import UsageError
from llmbatch.core.rows import Place, Row
from llmbatch.readers.fields import FieldChoice, KeptFields, RowMaker, listed
from llmbatch.readers.options import ReaderOptions
from llmbatch.readers.paths import is_there, paths_of
from llmbatch.readers.prose import TwoTextsError, text_fields
from llmbatch.readers.usual_names import usual_id, usual_texts, usual_texts_of_rows

LOOKED_AT = 100
"""The most records that are held back for the choice."""
_SAMPLE = 200
"""In characters."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """The beginning of an input.

    `names` are its fields if they precede the records, None if each record has its own; `rows` are its first
    records; `later` looks for a field in the records that follow, if these can be read again.
    """

    file: str
    names: tuple[str, ...] | None
    rows: Sequence[Mapping[str, Any]] = field(repr=False)
    """Mappings by the fields' names."""
    is_typed: bool = True
    findings: tuple[str, ...] = ()
    """About the way it is written."""
    later: Callable[[str], bool] = field(default=lambda _: False, repr=False)

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of all fields that were seen."""
        return self.names or tuple(dict.fromkeys(name for row in self.rows for name in row))

    def has(self, name: str) -> bool:
        """Whether there is such a field, or a value at that path."""
        return name in self.fields or any(is_there(row, name) for row in self.rows)


def choose(
    beginning: Beginning, options: ReaderOptions, *, kept: KeptFields | None = None, by_name: bool = False
) -> FieldChoice:
    """The fields to use from an input.

    Args:
        beginning: of the input.
        options: which fields the user names.
        kept: the fields that an earlier session of the run used, for those that the user does not name.
        by_name: decide by names alone, as earlier versions did, which recorded no fields.

    Raises:
        UsageError: a field that the user names does not exist, no field looks like the text, or two do.
    """
    named_id = None if options.id_field is None else _existing(beginning, options.id_field)
    texts = tuple(name for given in options.text_fields for name in named_fields(beginning, given))
    if not texts:
        texts = kept.text_fields if kept is not None else _detected(beginning, named_id, by_name=by_name)
    id_field = named_id
    if id_field is None:
        id_field = kept.id_field if kept is not None else usual_id(_possible_ids(beginning), but=texts)
    detected = not options.text_fields or (options.id_field is None and id_field is not None)
    choice = FieldChoice(beginning.file, id_field, texts, detected, beginning.is_typed)
    return FieldChoice(
        beginning.file,
        id_field,
        texts,
        detected,
        beginning.is_typed,
        names=beginning.fields,
        findings=beginning.findings,
        sample=_sample(beginning, choice, options),
    )


def named_fields(beginning: Beginning, given: str) -> tuple[str, ...]:
    """The fields that the user means by a name: the one with this name, otherwise several separated by commas.

    Raises:
        UsageError: there is no field of that name.
    """
    if "," not in given or beginning.has(given):
        return (_existing(beginning, given),)
    return tuple(_existing(beginning, name.strip()) for name in given.split(",") if name.strip())


def _existing(beginning: Beginning, name: str) -> str:
    if (not beginning.rows and not beginning.names) or beginning.has(name) or beginning.later(name):
        return name
    kind, kinds = ("column", "columns") if beginning.names else ("field", "fields")
    likely = difflib.get_close_matches(name, paths_of(beginning.rows) or beginning.fields, 1)
    remedy = f"did you mean {likely[0]!r}? " if likely else ""
    raise UsageError(
        f"{beginning.file}: there is no {kind} {name!r}", hint=f"{remedy}{kinds} are {listed(beginning.fields)}"
    )


def _detected(beginning: Beginning, id_field: str | None, *, by_name: bool) -> tuple[str, ...]:
    but = id_field or usual_id(_possible_ids(beginning), but=())
    texts: tuple[str, ...] = ()
    if not by_name:
        try:
            texts = text_fields(beginning.rows, but=but)
        except TwoTextsError as error:
            each = " ".join(f"--text-field {name!r}" for name in error.names)
            raise UsageError(
                f"{beginning.file}: {listed(error.names)}could each be the text; nothing was sent",
                hint=f"choose one: --text-field {error.names[0]!r}; or join them: {each}",
            ) from None
    texts = texts or (usual_texts(beginning.names) if beginning.names else usual_texts_of_rows(beginning.rows))
    if not texts:
        raise _no_text(beginning)
    return texts


def _no_text(beginning: Beginning) -> UsageError:
    kind, kinds = ("column", "columns") if beginning.names else ("field", "fields")
    inner = [path for path in paths_of(beginning.rows) if path not in beginning.fields]
    paths = f", or a path like {inner[-1]!r}" if inner else ""
    return UsageError(
        f"{beginning.file}: no {kind} looks like the text; {kinds} are {listed(beginning.fields)}",
        hint=f"specify it: --text-field NAME{paths}",
    )


def _possible_ids(beginning: Beginning) -> tuple[str, ...]:
    if beginning.names:
        return beginning.names
    rows = ((name, value) for row in beginning.rows for name, value in row.items())
    return tuple(dict.fromkeys(name for name, value in rows if not isinstance(value, list | dict)))


def _sample(beginning: Beginning, choice: FieldChoice, options: ReaderOptions) -> str:
    """The beginning of the first document."""
    maker, nowhere = RowMaker(choice, options), Place(beginning.file, 0)
    made = (maker.make(number, nowhere, b"", row) for number, row in enumerate(beginning.rows))
    return next((row.text[:_SAMPLE] for row in made if isinstance(row, Row)), "")
