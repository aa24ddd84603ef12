"""Prometheus' text format, version 0.0.4: converts metric families to lines."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

Sample = tuple[str, Mapping[str, str], float]
"""(suffix of the name, labels, value)."""


@dataclass(frozen=True, slots=True)
class Family:
    """One metric with all its samples."""

    name: str
    about: str
    samples: tuple[Sample, ...]
    kind: str = "gauge"


def gauge(name: str, about: str, value: float | None, **labels: str) -> Family:
    """A metric with a single sample, or without samples if the value is None."""
    return Family(name, about, () if value is None else (("", labels, value),))


def gauges(name: str, about: str, label: str, values: Mapping[str, float]) -> Family:
    """A metric with a sample for each value of a label."""
    return Family(name, about, tuple(("", {label: key}, value) for key, value in values.items()))


def exposition(families: Iterable[Family], shared: Mapping[str, str]) -> str:
    """The text; every sample also has the `shared` labels. Metrics without samples are left out."""
    return "".join(_family(family, shared) for family in families if family.samples)


def _family(family: Family, shared: Mapping[str, str]) -> str:
    head = f"# HELP {family.name} {family.about}\n# TYPE {family.name} {family.kind}\n"
    return head + "".join(
        f"{family.name}{suffix}{_labels({**shared, **labels})} {value:.15g}\n"
        for suffix, labels, value in family.samples
    )


def _labels(labels: Mapping[str, str]) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return escaped.encode("utf-8", "replace").decode()
