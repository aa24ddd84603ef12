"""Check the files of `review export --to` with label-studio-sdk's and argilla's own schemas, by a Python that has them.

Prints one line per file; exits with an error if a package refuses something.
"""

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any


def check_label_studio(tasks: list[dict[str, Any]], config: str) -> None:
    """Check tasks against the labelling interface of the configuration."""
    interface = import_module("label_studio_sdk.label_interface").LabelInterface(config)
    interface.validate()
    predictions = [prediction for task in tasks for prediction in task["predictions"]]
    problems = [interface.validate_prediction(prediction, return_errors=True) for prediction in predictions]
    assert not any(problems), problems
    sys.stdout.write(f"label-studio {len(tasks)} tasks, {len(predictions)} predictions\n")


def check_argilla(path: Path, settings: dict[str, Any]) -> None:
    """Check records with Argilla's models of records, questions and fields."""
    models, reader = import_module("argilla._models"), import_module("argilla.records._io._json").JsonIO
    records = [record.api_model() for record in reader._records_from_json(path)]
    questions = [models.QuestionModel(**question) for question in settings["questions"]]
    fields = [models.FieldModel(**field) for field in settings["fields"]]
    sys.stdout.write(f"argilla {len(records)} records, {len(questions)} questions, {len(fields)} fields\n")


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    check_label_studio(json.loads((folder / "tasks.json").read_text()), (folder / "tasks.xml").read_text())
    check_argilla(folder / "records.json", json.loads((folder / "records.settings.json").read_text()))
