"""Other projects' collections of awkward files: see the SOURCE.md in each folder below data/."""

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest

from llmbatch.core.rows import Row
from llmbatch.readers.formats.json_values import parse_json

DATA = Path(__file__).parent / "data"
SPECTRUM = sorted((DATA / "csv_spectrum" / "csvs").glob("*.csv"))
JSON_TEXTS = sorted((DATA / "json_test_suite").glob("*.json"))
NAUGHTY: list[str] = json.loads((DATA / "naughty_strings" / "blns.json").read_bytes())
WHOLLY_QUOTED = re.compile(r'".*"').fullmatch


def expected_of(path: Path) -> list[dict[str, str]]:
    if path.stem == "location_coordinates":
        (row,) = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8")))
        return [row]
    rows: list[dict[str, str]] = json.loads((DATA / "csv_spectrum" / "json" / f"{path.stem}.json").read_bytes())
    return rows


@pytest.mark.parametrize("path", SPECTRUM, ids=lambda path: path.stem)
def test_csv_spectrum_files_read_as_expected(read: Any, path: Path) -> None:
    content = path.read_bytes()
    if path.stem.endswith("_crlf"):
        content = content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    columns = tuple(expected_of(path)[0])
    rows = read(content, "in.csv", text_fields=columns)
    assert [dict(row.fields) for row in rows] == expected_of(path)


def test_json_test_suite_is_accepted_or_rejected_as_expected() -> None:
    """Names begin with y for valid, n for invalid, and i for implementation-defined."""
    accepted = {path.name: _is_accepted(path.read_bytes()) for path in JSON_TEXTS}
    assert [name for name in accepted if name[0] == ("n" if accepted[name] else "y")] == []


def _is_accepted(content: bytes) -> bool:
    try:
        parse_json(content)
    except ValueError:
        return False
    return True


def test_json_test_suite_as_a_field_behaves_as_it_does_alone(read: Any) -> None:
    for path in JSON_TEXTS:
        content = path.read_bytes()
        if b"\n" in content:
            continue
        rows = read(b'{"text": "a"}\n{"id": 1, "text": "x", "extra": ' + content + b'}\n{"text": "b"}\n')
        before, item, after = rows
        assert (before.text, after.text, after.index) == ("a", "b", 2), path.name
        if path.name.startswith("y_"):
            assert isinstance(item, Row), path.name
            assert item.fields["extra"] == json.loads(content), path.name
        elif path.name.startswith("n_"):
            assert not isinstance(item, Row), path.name


@pytest.mark.parametrize("name", ["in.jsonl", "in.csv"])
def test_naughty_strings_are_read_unchanged(read: Any, name: str) -> None:
    texts = [text for text in NAUGHTY if text.strip()]
    if name == "in.jsonl":
        content = "".join(json.dumps({"id": text, "text": text}, ensure_ascii=False) + "\n" for text in texts)
    else:
        written = io.StringIO()
        csv.writer(written).writerows([("id", "text"), *((text, text) for text in texts)])
        content = written.getvalue()
    assert [(row.id, row.text) for row in read(content, name)] == [(text, text) for text in texts]


def test_naughty_strings_are_read_unchanged_from_unquoted_tsv(read: Any) -> None:
    texts = [text for text in NAUGHTY if text.strip() and not {"\t", "\n"} & set(text) and not WHOLLY_QUOTED(text)]
    rows = read("id\ttext\tend\n" + "".join(f"{n}\t{text}\t.\n" for n, text in enumerate(texts)), "in.tsv")
    assert [row.text for row in rows] == texts


def test_the_collections_are_present() -> None:
    assert (len(SPECTRUM), len(JSON_TEXTS), len(NAUGHTY)) == (12, 316, 515)
