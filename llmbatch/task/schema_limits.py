"""Limits of strict structured outputs (OpenAI, "Structured model outputs", limits of supported schemas)."""

from llmbatch.task.label_space import LabelSpace

ENUM_VALUES_MAX = 1_000
ENUM_VALUES_UNMEASURED = 250
"""Up to this many values, their characters are not limited."""
ENUM_CHARACTERS_MAX = 15_000


def exceeds_schema(space: LabelSpace) -> str | None:
    """How a task's labels exceed a schema's limits, in a few words; None if they do not."""
    names = [label.name for field in space.fields for label in field.answers]
    if len(names) > ENUM_VALUES_MAX:
        return f"{len(names):,} labels: structured outputs take at most {ENUM_VALUES_MAX:,}"
    for field in space.fields:
        characters = sum(len(label.name) for label in field.answers)
        if len(field.answers) > ENUM_VALUES_UNMEASURED and characters > ENUM_CHARACTERS_MAX:
            return (
                f"the labels' names have {characters:,} characters: structured outputs take at most "
                f"{ENUM_CHARACTERS_MAX:,} if there are more than {ENUM_VALUES_UNMEASURED} labels"
            )
    return None
