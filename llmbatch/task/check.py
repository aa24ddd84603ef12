"""The task lint: reports what will cost money or quality before anything is sent.

A task that loads is valid; the lint judges whether it is good. Each check is a small function from the task to its
findings, listed in reporting order.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from llmbatch.core.models import AUTOMATIC_CACHING, profile_of
from llmbatch.task.fields import NONE, FieldKind, Label, TaskField, folded
from llmbatch.task.model import Task
from llmbatch.task.prefix import build_prefix
from llmbatch.task.schema_limits import exceeds_schema
from llmbatch.tokens import count_tokens

Level = Literal["error", "warning", "note"]

# OpenAI, "Structured model outputs": 1,000 enum values per schema; above 250, their total length is limited too.

_MANY_LABELS = 100
_LONG_LABEL_TOKENS = 12
_MOST_COMPARED = 1_000
"""Maximum number of labels for comparing all pairs: half a million pairs take a second."""
_ALIKE = 0.8
"""Share of common character trigrams above which two descriptions count as nearly the same."""
_UNBALANCED = 3
"""Maximum ratio of examples between the most and the least common label."""
_YES_OR_NO = 2
"""With this many labels, each one covers what the other does not."""
_LISTED = 5

_CATCH_ALL = re.compile(
    r"others?|none|none of .*|misc(?:ellaneous)?|unknown|unclear|general|(?:.* )?else|n/?a|not applicable"
)
_PLACEHOLDER = re.compile(r"\{\{[^{}\n]{1,60}\}\}|\$?\{[A-Za-z_][\w.]*\}|\{\}|<%[^%\n]{1,60}%>")
_DATE = re.compile(r"\b20\d\d-\d\d(?:-\d\d)?\b|\btoday is\b|\bcurrent date\b", re.IGNORECASE)
_OTHER_FORMAT = re.compile(
    r"\b(?:answer|respond|reply|return|output|write)\b[^.\n]{0,40}?"
    r"\b(?:json|xml|yaml|csv|markdown|bullets?|a list|a table|one word|a single word|in words|only the label|"
    r"just the label|label only|code block)\b",
    re.IGNORECASE,
)
_MARKUP = re.compile(r"</?document>|^# (?:Rules|Task|Labels|Examples|Answer)$", re.MULTILINE)
_COUNTED_EXACTLY = re.compile(r"(?:ft:)?(?:gpt-4o|gpt-4\.1|gpt-4\.5|gpt-[5-9]|chatgpt-4o|o\d)")


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding of the lint. `code` names its kind, for scripts; `message` is for people.

    An `error` is certainly a mistake; a `warning` costs money or quality; a `note` is informational.
    """

    level: Level
    code: str
    message: str


def check_task(task: Task, *, model: str | None) -> tuple[Finding, ...]:
    """All findings about a task: errors first, then warnings, then notes.

    Args:
        task: a task that has loaded.
        model: the model it is meant for; None for the one that the task names. Token counts are exact for OpenAI's
        models since GPT-4o; for other models the finding says that they are not.
    """
    findings = [finding for check in _CHECKS for finding in check(task)]
    findings.extend(_check_size(task, model or task.model.name))
    order: Sequence[Level] = ("error", "warning", "note")
    return tuple(sorted(findings, key=lambda finding: order.index(finding.level)))


def _check_repeats(task: Task) -> Iterator[Finding]:
    numbers: dict[str, list[int]] = {}
    for number, example in enumerate((*task.examples, *task.pool), start=1):
        numbers.setdefault(" ".join(example.text.split()).casefold(), []).append(number)
    for same in (same for same in numbers.values() if len(same) > 1):
        labels = dict.fromkeys(task.value_of((*task.examples, *task.pool)[number - 1]) for number in same)
        which = f"examples {', '.join(map(str, same))} have the same text"
        if len(labels) > 1:
            yield Finding("error", "contradicting-examples", f"{which} and different labels: {_listed(labels)}")
        else:
            yield Finding("warning", "repeated-example", which)


def _check_label_count(task: Task) -> Iterator[Finding]:
    count = sum(len(field.answers) for field in task.label_space.fields)
    if not task.model.candidates and (excess := exceeds_schema(task.label_space)) is not None:
        hint = "each document's request lists only those that fit it best (--candidates)"
        yield Finding("warning", "schema-limit", f"{excess}; {hint}")
    if count > _MANY_LABELS and all(field.tree.is_flat for field in task.label_space.fields):
        yield Finding(
            "warning",
            "many-labels",
            f"{count:,} labels: models confuse many; put them into groups, each label under its `parent`",
        )


def _check_groups(task: Task) -> Iterator[Finding]:
    for field in task.label_space.fields:
        names = {label.name for label in field.labels}
        roots = (name.partition("/")[0] for name in names if "/" in name and field.tree.path(name) == (name,))
        for root, count in sorted(Counter(roots).items()):
            if count > 1 and root:
                yield Finding(
                    "note",
                    "no-group",
                    f"{count} labels{_of(field, task)} begin with `{root}/`, but no label is named `{root}`, so they "
                    "are not in a group: add one with that name",
                )


def _check_descriptions(task: Task) -> Iterator[Finding]:
    if bare := [label.name for label in _labels(task) if not label.description.strip()]:
        yield Finding("warning", "no-description", f"labels without a description: {_listed(bare)}")
    if len(_labels(task)) > _MOST_COMPARED:
        return
    triples = {label.name: _triples(label.description) for label in _labels(task) if label.description.strip()}
    for (one, of_one), (other, of_other) in combinations(triples.items(), 2):
        if len(of_one & of_other) >= _ALIKE * len(of_one | of_other):
            yield Finding(
                "warning",
                "alike-descriptions",
                f"`{one}` and `{other}` have nearly the same description: say how they differ",
            )


def _check_examples(task: Task) -> Iterator[Finding]:
    space = task.label_space
    counts = Counter(part for example in task.examples for part in space.parts_of(task.value_of(example)))
    if not counts:
        yield Finding("note", "no-examples", "no examples: two to four per label, with borderline cases, help most")
        return
    if bare := [part for part in space.parts if part not in counts and not part.endswith(NONE)]:
        yield Finding("warning", "no-example", f"labels without an example, while others have one: {_listed(bare)}")
    (common, most), (rare, fewest) = counts.most_common()[0], counts.most_common()[-1]
    if most > _UNBALANCED * fewest:
        yield Finding(
            "warning",
            "unbalanced-examples",
            f"`{common}` has {most} examples, `{rare}` only {fewest}: models favour what they see most",
        )


def _check_long_labels(task: Task) -> Iterator[Finding]:
    if long := [label.name for label in _labels(task) if count_tokens(label.name) > _LONG_LABEL_TOKENS]:
        yield Finding(
            "warning",
            "long-label",
            f"names of more than {_LONG_LABEL_TOKENS} tokens, paid again in every answer: {_listed(long)}; "
            "keep names short; descriptions may be long",
        )


def _check_instructions(task: Task) -> Iterator[Finding]:
    texts = (task.instructions, *(field.instructions for field in task.fields), *(o.description for o in _labels(task)))
    if placeholders := _found(_PLACEHOLDER, texts):
        yield Finding(
            "warning",
            "placeholder",
            f"{_listed(placeholders)}: nothing is substituted; the text is sent unchanged",
        )
    if dates := _found(_DATE, (task.instructions,)):
        yield Finding(
            "warning",
            "dated-instructions",
            f"the instructions contain {_listed(dates)}: nothing is substituted, "
            "and editing them makes all rows count as unlabelled",
        )
    if formats := _found(_OTHER_FORMAT, (task.instructions,)):
        yield Finding(
            "note",
            "other-format",
            f"the instructions mention the answer's format ({_listed(formats)}), which is fixed",
        )


def _check_markup(task: Task) -> Iterator[Finding]:
    texts = (task.instructions, *(example.text for example in (*task.examples, *task.pool)))
    if marks := _found(_MARKUP, texts):
        yield Finding(
            "warning",
            "prompt-markup",
            f"{_listed(marks)} in the instructions or an example: the prompt uses it to mark its own parts",
        )


def _check_catch_all(task: Task) -> Iterator[Finding]:
    for field in task.label_space.fields:
        spellings = (folded(spelling) for label in field.labels for spelling in (label.name, *label.aliases))
        is_open = field.kind is FieldKind.single and len(field.labels) > _YES_OR_NO
        if not is_open or any(map(_CATCH_ALL.fullmatch, spellings)):
            continue
        yield Finding(
            "note",
            "no-catch-all",
            f"no label{_of(field, task)} for documents that fit none of them, such as `other`: "
            "such a document gets some label anyway",
        )


def _of(field: TaskField, task: Task) -> str:
    return f" of {field.name}" if task.fields else ""


def _labels(task: Task) -> list[Label]:
    """The labels of all fields."""
    return [label for field in task.label_space.fields for label in field.labels]


_CHECKS: tuple[Callable[[Task], Iterable[Finding]], ...] = (
    _check_repeats,
    _check_label_count,
    _check_groups,
    _check_descriptions,
    _check_examples,
    _check_long_labels,
    _check_instructions,
    _check_markup,
    _check_catch_all,
)


def _check_size(task: Task, model: str | None) -> Iterator[Finding]:
    without_examples = task.model_copy(update={"examples": ()})
    bare_fields = tuple(field.model_copy(update={"labels": ()}) for field in task.fields)
    without_labels = without_examples.model_copy(update={"labels": (), "fields": bare_fields})
    total, unshown, rest = (count_tokens(build_prefix(t)) for t in (task, without_examples, without_labels))
    with_pool = count_tokens(build_prefix(task, pool_examples=len(task.pool))) if task.pool else total
    floor = ((profile_of(model).caching if model else None) or AUTOMATIC_CACHING).floor_tokens
    if with_pool < floor:
        yield Finding(
            "warning",
            "short-prefix",
            f"the prefix has {with_pool:,} tokens, {floor - with_pool:,} short of the {floor:,} at which the "
            "provider caches it, so every row pays for it in full: describe how labels differ, or add examples",
        )
    message = (
        f"the prefix has {total:,} tokens: {(unshown - rest) / total:.0%} labels, "
        f"{(total - unshown) / total:.0%} examples, {rest / total:.0%} rules and instructions"
    )
    if task.pool:
        message += f"; {with_pool:,} with all of the pool"
    if model is not None and not _COUNTED_EXACTLY.match(model.rpartition("/")[2]):
        message += f" (counted as for OpenAI's models since GPT-4o; {model} may count differently)"
    yield Finding("note", "prefix-size", message)


def _found(pattern: re.Pattern[str], texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(match.group() for text in texts for match in pattern.finditer(text)))


def _triples(text: str) -> frozenset[str]:
    """All character trigrams: a similarity measure that needs no words, so that it works for any script."""
    plain = f" {' '.join(text.casefold().split())} "
    return frozenset(plain[start : start + 3] for start in range(len(plain) - 2))


def _listed(names: Iterable[str]) -> str:
    shown = [f"`{name}`" for name in names]
    more = f" and {len(shown) - _LISTED} more" if len(shown) > _LISTED else ""
    return ", ".join(shown[:_LISTED]) + more
