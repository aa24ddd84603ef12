"""The task: labels, examples and instructions, as data."""

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from llmbatch.core.defaults import MOST_TOKENS
from llmbatch.core.service_tiers import ServiceTier

Name = Annotated[str, StringConstraints(max_length=200, strict=True, pattern=r"^[^\x00-\x1f\x7f-\x9f]+$")]
Text = Annotated[str, StringConstraints(min_length=1, strict=True)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Label(_Part):
    """One answer that counts. `aliases` are other spellings of it; nothing else is taken for it."""

    name: Name
    description: Annotated[str, Field(strict=True)] = ""
    aliases: tuple[Name, ...] = ()


class Example(_Part):
    """A document with the answer that is right for it. `confidence` lies in 0..1."""

    text: Text
    label: Name
    confidence: Annotated[float, Field(ge=0, le=1, strict=True)] = 0.95
    reasoning: str | None = None


class ModelDefaults(_Part):
    """What the task's author wants asked of which model; the command line's options win over it."""

    name: str | None = None
    temperature: Annotated[float, Field(ge=0, le=2, strict=True)] | None = None
    max_output_tokens: Annotated[int, Field(ge=1, le=MOST_TOKENS, strict=True)] | None = None
    reasoning_effort: str | None = None
    service_tier: ServiceTier | None = None
    review_below: Annotated[float, Field(ge=0, le=1, strict=True)] | None = None


class Task(_Part):
    """A classification task, as its TOML file states it.

    Labels and aliases are distinct even without regard to case and surrounding space, so that a spelling
    can stand for one label only.
    """

    name: Name
    instructions: str = ""
    labels: Annotated[tuple[Label, ...], Field(min_length=2)]
    examples: tuple[Example, ...] = ()
    pool: tuple[Example, ...] = ()
    """Further examples, the most useful first: they go into the prompt where that makes a run cheaper."""
    model: ModelDefaults = ModelDefaults()

    @model_validator(mode="after")
    def _spellings_are_distinct(self) -> Self:
        owners: dict[str, int] = {}
        for number, label in enumerate(self.labels):
            if label.name != label.name.strip():
                raise ValueError(f"label {label.name!r} has space around its name")
            for spelling in (label.name, *label.aliases):
                owner = owners.setdefault(folded(spelling), number)
                if owner != number:
                    raise ValueError(
                        f"{spelling!r} stands for two labels: {self.labels[owner].name!r} and {label.name!r}"
                    )
        return self

    @model_validator(mode="after")
    def _examples_use_the_labels(self) -> Self:
        names = set(self.label_names)
        for kind, examples in (("example", self.examples), ("pool example", self.pool)):
            for number, example in enumerate(examples, start=1):
                if example.label not in names:
                    raise ValueError(f"{kind} {number} has the label {example.label!r}, which the task does not list")
        return self

    @property
    def label_names(self) -> tuple[str, ...]:
        """The labels' names, in the file's order."""
        return tuple(label.name for label in self.labels)

    def answer_schema(self, *, reasoning: bool) -> dict[str, Any]:
        """JSON schema of one answer, in the subset that strict structured outputs take.

        The confidence goes over the wire as a whole percentage: two tokens less in each answer than a fraction.

        Args:
            reasoning: also ask for a short rationale, before the label so that it can inform it.
        """
        properties: dict[str, Any] = {"reasoning": {"type": "string"}} if reasoning else {}
        properties["category"] = {"type": "string", "enum": list(self.label_names)}
        properties["percent"] = {"type": "integer", "minimum": 0, "maximum": 100}
        return {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }


def folded(spelling: str) -> str:
    """A label's spelling without its case and surrounding space: what two spellings may differ in."""
    return spelling.strip().casefold()
