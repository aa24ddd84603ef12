"""What strict structured outputs take (OpenAI, "Structured model outputs", limits of supported schemas)."""

from llmbatch.task.label_space import LabelSpace

ENUM_VALUES_MAX = 1_000
ENUM_VALUES_UNMEASURED = 250
"""Up to so many values, their characters do not count."""
ENUM_CHARACTERS_MAX = 15_000


def exceeds_schema(space: LabelSpace) -> str | None:
    """What of a task's labels is more than a schema takes, in a few words; None where all is well."""
    names = [label.name for field in space.fields for label in field.answers]
    if len(names) > ENUM_VALUES_MAX:
        return f"{len(names):,} labels: structured outputs take at most {ENUM_VALUES_MAX:,}"
    for field in space.fields:
        characters = sum(len(label.name) for label in field.answers)
        if len(field.answers) > ENUM_VALUES_UNMEASURED and characters > ENUM_CHARACTERS_MAX:
            return (
                f"the labels' names hold {characters:,} characters: structured outputs take at most "
                f"{ENUM_CHARACTERS_MAX:,} where there are more than {ENUM_VALUES_UNMEASURED} labels"
            )
    return None
