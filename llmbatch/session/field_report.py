"""Reports which fields of an input are used."""

from collections.abc import Callable

from llmbatch.observe.events import Event, FieldsChosen
from llmbatch.readers import FieldChoice


def field_report(emit: Callable[[Event], None]) -> Callable[[FieldChoice], None]:
    """Reports a choice of fields that was not the user's, or that has findings to report."""

    def tell(choice: FieldChoice) -> None:
        if choice.detected or choice.findings:
            emit(FieldsChosen(choice.file, choice.text_fields, choice.id_field, choice.findings, choice.sample))

    return tell
