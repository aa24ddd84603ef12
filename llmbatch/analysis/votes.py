"""Calibrates a jury's verdicts, using the gold labels of rows that were voted on."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

from llmbatch.analysis.fit import Method, VotesFit
from llmbatch.analysis.fitted import as_calibration, fitted
from llmbatch.analysis.run_evaluation import JudgedRun
from llmbatch.core.ledger_line import FAILED, VOTES, LedgerLine
from llmbatch.runs.folder import RunFolder, RunRecord
from llmbatch.runs.ledger.recover import read_lines
from llmbatch.task.calibration import Calibration


def fit_votes(path: Path, run: JudgedRun, method: Method) -> VotesFit | None:
    """Fit a calibration to the verdicts of the run's most active jury; None if no verdict has a gold label.

    Args:
        path: the run folder.
        run: its rows with gold labels.
        method: how to fit.
    """
    keys = {pair.key for pair in run.judged.pairs}
    verdicts: dict[str, LedgerLine] = {}
    for _, line in read_lines(RunFolder(path).ledger):
        if line.key not in keys or line.status == FAILED or not line.can_be(run.record.task.label_space):
            continue
        if line.confidence_from == VOTES:
            verdicts[line.key] = line
        else:
            verdicts.pop(line.key, None)  # it was sent again
    if not verdicts:
        return None
    (asked, _), *_ = Counter(line.judges for line in verdicts.values()).most_common(1)
    pairs = [
        replace(pair, answer=one.category, confidence_raw=one.raw_confidence, confidences=one.confidences)
        for pair in run.judged.pairs
        if (one := verdicts.get(pair.key)) is not None and one.judges == asked
    ]
    fit, remark = fitted(pairs, method, must=False)
    return VotesFit(*asked, len(pairs), fit, remark)


def votes_calibration(found: VotesFit, record: RunRecord, gold: str) -> Calibration | None:
    """The calibration to store, with the digest of the gold file; None if no method helps."""
    if found.fit is None or found.fit.chosen is None:
        return None
    return as_calibration(found.fit, found.prompt, found.voters, VOTES, offline=record.offline, gold=gold)
