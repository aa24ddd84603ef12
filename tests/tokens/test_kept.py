"""Token counts cached between runs are right whatever happens to their folder."""

from pathlib import Path

import pytest

from llmbatch.core.checksum import seal
from llmbatch.tokens import count_tokens, kept_counts
from llmbatch.tokens.kept import _read

TEXTS = ["Label this document.", "", "<|endoftext|>", "Grüße, 世界", "lone \ud800 surrogate"]
COUNTS = [count_tokens(text) for text in TEXTS]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "llmbatch" / "token-counts"


def test_cached_counts_match_the_tokenizer(folder: Path) -> None:
    assert kept_counts(TEXTS) == COUNTS
    (file,) = folder.iterdir()
    assert kept_counts(TEXTS) == COUNTS
    assert file.stat().st_mode & 0o077 == 0


def test_a_damaged_count_is_recomputed(folder: Path) -> None:
    kept_counts(TEXTS)
    (file,) = folder.iterdir()
    file.write_bytes(b"[1]")
    assert kept_counts(TEXTS) == COUNTS


@pytest.mark.parametrize("damage", [b"", b"\0\0\0", b"[1,", b"[1]", b"{}", seal(b'{"format":2,"counts":["1"]}')])
def test_an_invalid_file_is_not_read_as_counts(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "kept").write_bytes(damage)
    assert _read(tmp_path / "kept") is None


def test_no_flipped_bit_changes_a_count(folder: Path) -> None:
    kept_counts(TEXTS)
    (file,) = folder.iterdir()
    whole = file.read_bytes()
    for at in range(len(whole) * 8):
        flipped = bytearray(whole)
        flipped[at // 8] ^= 1 << at % 8
        file.write_bytes(flipped)
        assert _read(file) in (None, COUNTS)


def test_without_a_folder_nothing_is_cached_but_counts_are_right(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")
    assert kept_counts(TEXTS[:1]) == COUNTS[:1]
    assert not folder.exists()
