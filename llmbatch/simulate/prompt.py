"""Analyses the stable part of a request, once: its tokens, its labels, and the form of the answer."""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from llmbatch.core.models import PromptCaching
from llmbatch.simulate.answer import Choice, Verdict, as_json
from llmbatch.simulate.features import features
from llmbatch.simulate.form import MULTI, NUMBER, SINGLE, YES_NO, AnswerForm, FieldForm, refuse
from llmbatch.simulate.labeller import Labeller, rounded
from llmbatch.simulate.prompt_cache import PromptDigest
from llmbatch.simulate.reading import LabelText, read_labels, read_listing, read_prefix_listing, read_similar, unfenced
from llmbatch.simulate.request import Breakpoint, Message
from llmbatch.simulate.sampling import GREEDY, Sampling
from llmbatch.task.label_lines import NO_CANDIDATE, NUMBERED_LIST

_PROMPTS = 64
"""How many analyses are kept."""
_MOST_LABELS = 3
_NEAR_THE_BEST = 0.5
"""A field with several labels gets those whose probability is at least this share of the best one's."""


@dataclass(frozen=True, slots=True, eq=False)
class Prompt:
    """The analysis of a request's leading messages and answer form."""

    digest: PromptDigest
    form: AnswerForm
    labellers: Mapping[str, Labeller]
    """The labeller of each field that has labels."""
    listed: frozenset[str] = frozenset()
    """Fields whose labels are a numbered list in the prompt."""

    def with_listing(self, message: str) -> "Prompt":
        """The same for a message with labels listed for its document, before it or in the prompt."""
        listing = {key: Labeller(labels) for key, labels in read_listing(message).items()}
        listing |= {key: self.labellers[key] for key in self.listed}
        if not listing:
            return self
        document = unfenced(message)
        labellers = dict(self.labellers)
        for key, of_list in listing.items():
            can_be_none = NO_CANDIDATE in (self.form.field(key).labels or (NO_CANDIDATE,))
            labellers[key] = _NONE_FITS if can_be_none and of_list.has_nothing_in_common(document) else of_list
        return replace(self, labellers=labellers)

    def verdict(self, message: str, sampling: Sampling = GREEDY) -> Verdict:
        """Label the document in a message and put the answer into the required form."""
        document = unfenced(message)
        odds = {
            key: _swayed(labeller.names, labeller.odds(document), document, read_similar(message, key))
            for key, labeller in self.labellers.items()
        }
        values: dict[str, Any] = {}
        choices: list[Choice] = []
        for field in self.form.fields:
            value, confidence = self._value(field, document, odds.get(field.key, ()), sampling)
            values[field.key] = value
            choices += self._choices(field, value, confidence, odds.get(field.key, ()))
            if field.confidence_key is not None:
                values[field.confidence_key] = round(confidence * 100) if field.in_percent else confidence
        shown = self.form.label_field
        value = values[shown.key]
        reason = f"The wording of the document has most in common with what the prompt says about {value!r}."
        fields = {key: values.get(key, reason) for key in self.form.keys}
        if shown.kind != SINGLE:
            return Verdict(fields, shown.key, shown.confidence_key, (str(value),), (1.0,), tuple(choices))
        names = self.labellers[shown.key].names
        return Verdict(fields, shown.key, shown.confidence_key, names, odds[shown.key], tuple(choices))

    def _choices(self, field: FieldForm, value: Any, confidence: float, odds: Sequence[float]) -> Iterator[Choice]:
        """The alternatives to a field's value, or to each of its decisions."""
        if field.kind == YES_NO:
            yield _decision(field.key, value, confidence)
        elif field.kind == SINGLE and field is not self.form.label_field:
            said = dict(zip(self.labellers[field.key].names, odds, strict=True))
            others = tuple((_pair(field.key, name), share) for name, share in said.items() if name != value)
            yield Choice(_pair(field.key, value), said[value], others)
        elif field.is_decided:
            even = 1 / len(odds)
            for name, share in zip(self.labellers[field.key].names, odds, strict=True):
                fits = share / (share + even)
                yield _decision(name, value[name], fits if value[name] else 1 - fits)

    def _value(self, field: FieldForm, document: str, odds: Sequence[float], sampling: Sampling) -> tuple[Any, float]:
        """A field's value and confidence; `odds` of its labels, if it has any."""
        if field.kind == SINGLE:
            labeller = self.labellers[field.key]
            place = sampling.place(odds, field.key)
            return labeller.likeliest(odds) if place is None else (labeller.names[place], rounded(odds[place]))
        if field.kind == MULTI:
            listed, confidence = _several(self.labellers[field.key].names, sampling.shifted(odds, field.key))
            if not field.is_decided:
                return listed, confidence
            given = {item["label"] for item in listed}
            return {name: name in given for name in self.labellers[field.key].names}, confidence
        chance = sampling.moved(zlib.crc32(f"{field.key}\0{document}".encode("utf-8", "replace")) / 2**32, field.key)
        confidence = round(0.5 + abs(chance - 0.5) * 0.9, 2)
        if field.kind == NUMBER:
            least, most = field.bounds
            value = least + chance * (most - least)
            return round(value) if field.is_whole else round(value, 3), confidence
        return chance > 1 / 2, confidence


def _swayed(
    names: Sequence[str], odds: Sequence[float], document: str, similar: Sequence[tuple[str, str]]
) -> tuple[float, ...]:
    """The odds of labels adjusted by examples: the more similar one is to the document, the more its label counts."""
    if not similar:
        return tuple(odds)
    weights, of_document = dict(zip(names, odds, strict=True)), features(document).keys()
    for text, label in similar:
        of_example = features(text).keys()
        shared = len(of_document & of_example) / (len(of_document | of_example) or 1)
        if label in weights:
            weights[label] *= 1 + _SWAY * shared
    total = sum(weights.values())
    return tuple(weight / total for weight in weights.values())


_SWAY = 10.0
_NONE_FITS = Labeller((LabelText(NO_CANDIDATE, "", ()), LabelText("1", "", ())))


def _decision(key: str, value: bool, odds: float) -> Choice:  # noqa: FBT001 - it is data
    return Choice(_pair(key, value), odds, ((_pair(key, not value), 1 - odds),))


def _pair(key: str, value: Any) -> str:
    """A key and its value as they appear in an object."""
    return as_json({key: value})[1:-1]


def _several(names: Sequence[str], odds: Sequence[float]) -> tuple[list[dict[str, Any]], float]:
    """The labels that stand out, each with its percentage; empty if none does."""
    likeliest = sorted(zip(odds, names, strict=True), reverse=True)
    best, even = likeliest[0][0], 1 / len(likeliest)
    if best < 2 * even:
        return [], round(1 - best, 2)
    chosen = [(share, name) for share, name in likeliest[:_MOST_LABELS] if share >= max(_NEAR_THE_BEST * best, even)]
    sure = [(share / (share + even), name) for share, name in chosen]
    return [{"label": name, "percent": round(share * 100)} for share, name in sure], round(min(sure)[0], 2)


@lru_cache(maxsize=_PROMPTS)
def read_prompt(
    leading: tuple[Message, ...], breakpoints: tuple[Breakpoint, ...], form: AnswerForm, caching: PromptCaching
) -> Prompt:
    """Analyse a prompt. Takes milliseconds, or tens of them with hundreds of examples.

    Raises:
        RefusedError: neither the schema nor the prompt names labels.
    """
    digest = PromptDigest(caching)
    for number, (role, text) in enumerate(leading):
        digest.add(role, text, (mark.characters for mark in breakpoints if mark.message == number))
    prompt = "\n".join(text for _, text in leading)
    labellers, listing = {}, read_prefix_listing(prompt)
    for field in form.fields:
        if field.kind in (SINGLE, MULTI):
            if field.key in listing:
                labellers[field.key] = Labeller(listing[field.key])
                continue
            labels = read_labels(prompt, field.labels, field.key)
            if not labels and NUMBERED_LIST in prompt:
                labellers[field.key] = _NONE_FITS  # until a document with its list arrives
                continue
            if not labels:
                refuse(
                    "there is neither an enum in response_format.json_schema nor a '# Labels' section with lines as "
                    "'- name: description' in the messages before the last one"
                )
            labellers[field.key] = Labeller(labels)
    return Prompt(digest, form, labellers, frozenset(listing) & labellers.keys())
