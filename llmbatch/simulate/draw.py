"""Which faults affect a request: by its number, or by a draw that depends on what is asked but not on when.

A draw hashes the seed, the fault, the question and how often it was asked. A run therefore meets the same faults under
any concurrency and in any order, and a retry gets a new draw.
"""

from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b

from llmbatch.simulate.batch_faults import BATCH_FAULTS
from llmbatch.simulate.catalogue import GROUPS, MIXED, MIXED_KINDS
from llmbatch.simulate.fault import Fault


def question_digest(model: str, document: str) -> str:
    """Identifies a question in draws and statistics: 16 hex digits from the model and the document, unfenced."""
    return blake2b(f"{model}\0{document}".encode("utf-8", "replace"), digest_size=8).hexdigest()


def struck(
    faults: Sequence[Fault], *, seed: int, number: int, elapsed_s: float, question: str, times_asked: int
) -> list[Fault]:
    """The faults that affect a request: the first one of each group.

    Args:
        faults: in order of precedence.
        seed: of all draws.
        number: of the request, from 1.
        elapsed_s: seconds since the endpoint's start.
        question: its digest.
        times_asked: how often the question was asked, from 1.
    """
    struck_by_group: dict[int, Fault] = {}
    for fault in faults:
        if fault.kind in BATCH_FAULTS:
            continue
        draw = f"{seed}/{fault.name}/{question}/{times_asked}"
        if fault.is_due(number, elapsed_s) or uniform(draw) < fault.probability:
            kind = MIXED_KINDS[int(uniform(f"{draw}/kind") * len(MIXED_KINDS))] if fault.kind == MIXED else fault.kind
            struck_by_group.setdefault(_group(kind), replace(fault, kind=kind))
    return list(struck_by_group.values())


def strikes(fault: Fault, *, seed: int, number: int, elapsed_s: float) -> bool:
    """Whether a fault of files and batches applies.

    Args:
        fault: the fault.
        seed: of all draws.
        number: of the upload, create call, batch, listing, download or line, from 1; each is counted separately.
        elapsed_s: seconds since the endpoint's start.
    """
    return fault.is_due(number, elapsed_s) or uniform(f"{seed}/{fault.name}/{number}") < fault.probability


def uniform(text: str) -> float:
    """A number in [0, 1) derived from `text`, the same in every process."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest()) / 2**64


def _group(kind: str) -> int:
    return next(number for number, group in enumerate(GROUPS) if kind in group)
