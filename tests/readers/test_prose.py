"""The text is found by the contents of the fields: the longest prose, with the title above it."""

import json
from typing import Any

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.readers import FieldChoice, ReaderOptions, read_rows, resolve_inputs

LONG = "The seam came apart after one wash and nobody answers my mails, so I want my money back."
OTHER = "Fits well, the colour is as in the picture, I would buy it again for my sister."
SHORT = "Came apart after one wash"


@pytest.fixture
def chosen(tmp_path: Any) -> Any:
    def choose(rows: list[dict[str, Any]], *, as_csv: bool = False) -> FieldChoice:
        path = tmp_path / ("in.csv" if as_csv else "in.jsonl")
        lines = [[*rows[0]], *([row[name] for name in rows[0]] for row in rows)] if as_csv else rows
        join = (lambda cells: ",".join(f'"{cell}"' for cell in cells)) if as_csv else json.dumps
        path.write_text("".join(f"{join(line)}\n" for line in lines))
        choices: list[FieldChoice] = []
        list(read_rows(resolve_inputs([str(path)], ReaderOptions()), ReaderOptions(), on_fields=choices.append))
        (choice,) = choices
        return choice

    return choose


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
@pytest.mark.parametrize(
    ("row", "texts"),
    [
        ({"reviewerID": "A1", "reviewText": LONG, "summary": SHORT, "overall": "5.0"}, ("summary", "reviewText")),
        ({"id": "1", "Title": SHORT, "Review Text": LONG, "Clothing ID": "77"}, ("Title", "Review Text")),
        ({"headline": SHORT, "body": LONG}, ("headline", "body")),
        ({"subject": SHORT, "ticket_description": LONG, "priority": "high"}, ("subject", "ticket_description")),
        ({"url": f"https://a.example/{'x' * 200}", "comment": LONG}, ("comment",)),
        ({"created": "Mon, 27 Nov 2026 12:00:00 GMT", "what happened": LONG}, ("what happened",)),
        ({"text": SHORT, "user_bio": LONG}, ("text",)),
        ({"text": SHORT, "reasoning": LONG, "label": "a b c d"}, ("text",)),
        ({"Betreff": SHORT, "Beschreibung": LONG}, ("Betreff", "Beschreibung")),
        ({"titre": SHORT, "texte": LONG}, ("titre", "texte")),
        ({"título": SHORT, "descripción": LONG}, ("título", "descripción")),
        ({"件名": "返品について", "本文": "先週注文した商品がまだ届きません。いつ届きますか。"}, ("件名", "本文")),
        ({"col_a": "17", "col_b": LONG}, ("col_b",)),
        ({"question": OTHER, "answer": LONG}, ("question",)),
        ({"Summary": SHORT, "Comment": LONG, "Comment_2": OTHER}, ("Summary", "Comment", "Comment_2")),
        ({"title": LONG}, ("title",)),
        ({"Summary": LONG, "Comment": SHORT, "Comment_2": "ok"}, ("Summary", "Comment", "Comment_2")),
        ({"message": "ok", "text": "no"}, ("text",)),
    ],
)
def test_the_longest_prose_is_chosen_and_titles_go_in_front(
    chosen: Any, row: dict[str, Any], texts: tuple[str, ...], kind: str
) -> None:
    assert chosen([row], as_csv=kind == "csv").text_fields == texts


def test_repeated_values_are_taken_as_labels(chosen: Any) -> None:
    rows = [
        {"department": "Customer care and returns of the north of the country", "said": f"{n} {SHORT}"}
        for n in range(9)
    ]
    assert chosen(rows).text_fields == ("said",)


def test_rows_with_different_fields_keep_all_of_them(chosen: Any) -> None:
    rows = [{"id": 1, "comment": LONG}, {"id": 2, "review": OTHER}, {"id": 3, "note": SHORT + " again"}]
    choice = chosen(rows)
    assert (set(choice.text_fields), choice.id_field) == ({"comment", "review", "note"}, "id")


def test_a_second_field_is_not_joined_if_some_row_lacks_the_text(chosen: Any) -> None:
    rows = [{"body": LONG, "agent_remark": OTHER[:40]}] * 3 + [{"body": "", "agent_remark": OTHER[:40]}]
    assert chosen([dict(row) for row in rows]).text_fields == ("body",)


@pytest.mark.parametrize("names", [("pros", "cons"), ("text_de", "text_en"), ("premise", "hypothesis")])
def test_two_equally_likely_fields_are_refused_with_the_option_to_use(chosen: Any, names: tuple[str, str]) -> None:
    one, other = names
    with pytest.raises(UsageError, match="could each be the text; nothing was sent") as caught:
        chosen([{one: LONG, other: OTHER}])
    assert caught.value.hint == (
        f"choose one: --text-field {one!r}; or join them: --text-field {one!r} --text-field {other!r}"
    )


def test_if_only_a_path_leads_to_prose_the_error_names_it(chosen: Any) -> None:
    with pytest.raises(UsageError, match="no field looks like the text") as caught:
        chosen([{"id": 1, "doc": {"body": LONG}}])
    assert "'doc.body'" in (caught.value.hint or "")


def test_the_choice_includes_an_excerpt_of_the_first_document(chosen: Any) -> None:
    assert chosen([{"id": 1, "text": ""}, {"id": 2, "text": LONG}]).sample == LONG
