"""Computes the probability of a row's value from its tokens' log-probabilities, field by field."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from llmbatch.task.decision_odds import AnswerTokens
from llmbatch.task.fields import FieldKind, TaskField
from llmbatch.task.kinds import names_in
from llmbatch.task.label_space import LabelSpace
from llmbatch.task.logprobs import TokenLogprob, label_odds


@dataclass(frozen=True, slots=True)
class MeasuredValue:
    """Probabilities of a value."""

    probability: float
    """Probability of the least certain field or label decision."""
    probabilities: dict[str, float] | None
    """By field, and by `field=label` for the labels given; None if the task takes one label."""
    runner_up: str | None
    """The runner-up if one label is requested; else the most likely label not given, if that is the least certain
    decision."""
    mass: float
    """The lowest total probability of the possible answers, see `LabelOdds`."""


@dataclass(frozen=True, slots=True)
class _Measured:
    """Probabilities of one field's value."""

    probability: float
    mass: float = 1.0
    runner_up: str | None = None
    labels: dict[str, float] = field(default_factory=dict)


def measured_value(tokens: Sequence[TokenLogprob], text: str, space: LabelSpace) -> MeasuredValue | None:
    """Measure a value; None if one of its fields cannot be found among the tokens.

    Args:
        tokens: the tokens of the whole answer.
        text: the value read from the answer.
        space: the task's label space.
    """
    answer, measured = AnswerTokens(tokens), dict[str, _Measured]()
    for one in space.fields:
        found = _field(tokens, answer, one, str(space.cells_of(text)[one.name]))
        if found is None:
            return None
        measured[one.name] = found
    name, least = min(measured.items(), key=lambda item: item[1].probability)
    probabilities = {name: found.probability for name, found in measured.items()}
    for name_of, found in measured.items():
        probabilities |= {f"{name_of}={label}": odds for label, odds in found.labels.items()}
    return MeasuredValue(
        probability=least.probability,
        probabilities=None if space.takes_one_label else probabilities,
        runner_up=least.runner_up if least.runner_up is None or len(measured) == 1 else f"{name}={least.runner_up}",
        mass=min(found.mass for found in measured.values()),
    )


def _field(tokens: Sequence[TokenLogprob], answer: AnswerTokens, one: TaskField, value: str) -> _Measured | None:
    match one.kind:
        case FieldKind.multi:
            return _several(answer, one, value)
        case FieldKind.yes_no:
            decision = answer.decision(one.name)
            if decision is None:
                return None
            return _Measured(decision.true if value == "yes" else decision.false, decision.mass)
        case FieldKind.number:
            probability = answer.number(one.name)
            return None if probability is None else _Measured(probability)
    aliases = {alias: label.name for label in one.answers for alias in label.aliases}
    odds = label_odds(tokens, [label.name for label in one.answers], value, aliases, key=one.name)
    return None if odds is None else _Measured(odds.probability, odds.mass, odds.runner_up)


def _several(answer: AnswerTokens, one: TaskField, value: str) -> _Measured | None:
    """Each label is a decision; the field is as certain as the least certain of them, given or not."""
    decisions = answer.decisions(one.name)
    if decisions.keys() != {label.name for label in one.answers}:
        return None
    given = set(names_in(value))
    sure = {name: odds.true if name in given else odds.false for name, odds in decisions.items()}
    least = min(sure, key=sure.__getitem__)
    return _Measured(
        sure[least],
        min(odds.mass for odds in decisions.values()),
        runner_up=None if least in given else least,
        labels={name: sure[name] for name in decisions if name in given},
    )
