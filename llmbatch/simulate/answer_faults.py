"""Faults in the model's answer: each is a function from the right answer to a wrong one."""

from collections.abc import Callable
from dataclasses import replace

from llmbatch.simulate.answer import Answer, Verdict, as_json

AnswerFault = Callable[[Answer, Verdict], Answer]

_OTHER_MODELS = ("gpt-4.1-nano-2025-04-14", "gpt-4.1-mini-2025-04-14")


def _wrapped(answer: Answer, verdict: Verdict) -> Answer:
    fenced = f"Sure, here is the label:\n\n```json\n{as_json(verdict.fields)}\n```\n\nLet me know if you need more."
    return replace(answer, content=fenced)


def _truncated(answer: Answer, verdict: Verdict) -> Answer:
    content = as_json(verdict.fields)
    return replace(answer, content=content[: len(content) // 2], finish_reason="length")


def _empty(answer: Answer, _: Verdict) -> Answer:
    return replace(answer, content="")


def _null_content(answer: Answer, _: Verdict) -> Answer:
    return replace(answer, content=None)


def _refusal(answer: Answer, _: Verdict) -> Answer:
    return replace(answer, content=None, refusal="I'm sorry, but I can't assist with that request.")


def _filtered(answer: Answer, _: Verdict) -> Answer:
    return replace(answer, content="", finish_reason="content_filter")


def _invented(answer: Answer, verdict: Verdict) -> Answer:
    taken = {label.casefold() for label in verdict.labels}
    label = "invented"
    while label in taken:
        label += " label"
    return replace(answer, content=as_json(verdict.replaced(verdict.label_key, label)))


def _miscased(answer: Answer, verdict: Verdict) -> Answer:
    label = verdict.label.upper()
    if label == verdict.label:  # already upper-case, or a script without cases
        label = label.lower() if label.lower() != label else f" {label} "
    return replace(answer, content=as_json(verdict.replaced(verdict.label_key, label)))


def _bad_confidence(answer: Answer, verdict: Verdict) -> Answer:
    key = verdict.confidence_key or "confidence"
    too_much = 170 if isinstance(verdict.fields.get(key), int) else 1.7
    return replace(answer, content=as_json(verdict.replaced(key, too_much)))


def _no_confidence(answer: Answer, verdict: Verdict) -> Answer:
    kept = {key: value for key, value in verdict.fields.items() if key != verdict.confidence_key}
    return replace(answer, content=as_json(kept))


def _two_answers(answer: Answer, verdict: Verdict) -> Answer:
    second = verdict.replaced(verdict.label_key, _another_label(verdict))
    return replace(answer, content=f"{as_json(verdict.fields)}\n{as_json(second)}")


def _duplicate_key(answer: Answer, verdict: Verdict) -> Answer:
    other = as_json({verdict.label_key: _another_label(verdict)})
    return replace(answer, content=f"{other[:-1]},{as_json(verdict.fields)[1:]}")


def _broken_json(answer: Answer, verdict: Verdict) -> Answer:
    # Broken off within the label's string: repaired naively, it may become another label.
    content = as_json(verdict.fields)
    label = as_json({verdict.label_key: verdict.fields[verdict.label_key]})[1:-1]
    return replace(answer, content=content[: content.index(label) + len(label) - 2])


def _other_model(answer: Answer, _: Verdict) -> Answer:
    return replace(answer, model=next(name for name in _OTHER_MODELS if name != answer.model))


def _another_label(verdict: Verdict) -> str:
    return next((label for label in verdict.labels if label != verdict.label), verdict.label)


ANSWER_FAULTS: dict[str, AnswerFault] = {
    "wrapped": _wrapped,
    "truncated": _truncated,
    "empty": _empty,
    "null_content": _null_content,
    "refusal": _refusal,
    "filtered": _filtered,
    "invented": _invented,
    "miscased": _miscased,
    "bad_confidence": _bad_confidence,
    "no_confidence": _no_confidence,
    "two_answers": _two_answers,
    "duplicate_key": _duplicate_key,
    "broken_json": _broken_json,
    "other_model": _other_model,
}
