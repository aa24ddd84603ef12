"""Faults of answers about several documents, and the parts of such an answer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from llmbatch.simulate.answer import Verdict


@dataclass(frozen=True, slots=True)
class Part:
    """The part about one document."""

    number: str
    """The document's number; empty if it is the only one."""
    verdict: Verdict
    text: str
    """Its JSON object."""

    @property
    def member(self) -> str:
        """The part as it appears in the answer."""
        return f'"{self.number}":{self.text}'


_PackFault = Callable[[Sequence[Part], int], list[Part]]


def _missing(parts: Sequence[Part], place: int) -> list[Part]:
    return [*parts[:place], *parts[place + 1 :]]


def _doubled(parts: Sequence[Part], place: int) -> list[Part]:
    return [*parts[: place + 1], replace(parts[place - 1], number=parts[place].number), *parts[place + 1 :]]


def _foreign(parts: Sequence[Part], place: int) -> list[Part]:
    return [*parts[:place], replace(parts[place], number="document"), *parts[place + 1 :]]


def _renumbered(parts: Sequence[Part], _: int) -> list[Part]:
    return [replace(part, number=str(int(part.number) - 1)) for part in parts]


def _shuffled(parts: Sequence[Part], place: int) -> list[Part]:
    return [*parts[place:], *parts[:place]]


def _swapped(parts: Sequence[Part], place: int) -> list[Part]:
    one, other = parts[place - 1], parts[place]
    swapped = [replace(other, number=one.number), replace(one, number=other.number)]
    return [*parts[: place - 1], *swapped, *parts[place + 1 :]]


PACK_FAULTS: dict[str, _PackFault] = {
    "pack_missing": _missing,
    "pack_doubled": _doubled,
    "pack_foreign": _foreign,
    "pack_renumbered": _renumbered,
    "pack_shuffled": _shuffled,
    "pack_swapped": _swapped,
}
