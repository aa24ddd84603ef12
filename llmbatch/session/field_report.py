"""Which fields an input's rows are made of, as a session reports it."""

from collections.abc import Callable

from llmbatch.observe.events import Event, FieldsChosen
from llmbatch.readers import FieldChoice


def field_report(emit: Callable[[Event], None]) -> Callable[[FieldChoice], None]:
    """Reports a choice of fields where it was not the user's, or something about it should be known."""

    def tell(choice: FieldChoice) -> None:
        if choice.detected or choice.findings:
            emit(FieldsChosen(choice.file, choice.text_fields, choice.id_field, choice.findings, choice.sample))

    return tell
