"""Plug-ins are found among installed packages, imported on demand, and named in errors."""

import sys
from pathlib import Path

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.core.plugins import FORMATS, find_plugin, plugin_names
from tests.e2e.program import PROGRAM, Program, documents, write_rows
from tests.extending.conftest import Site

ONE = "[llmbatch.formats]\none = acme:ONE\n"


def test_a_plug_in_is_imported_on_demand(site: Site) -> None:
    site.install("Acme_Formats", ONE, {"acme": "ONE = 1"}, version="1.2")
    assert (plugin_names(FORMATS), find_plugin(FORMATS, "two"), "acme" in sys.modules) == (("one",), None, False)
    plugin = find_plugin(FORMATS, "one")
    assert plugin is not None
    assert (plugin.part, plugin.package) == (1, "acme-formats 1.2")
    assert find_plugin("llmbatch.outputs", "one") is None


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("ONE =", "SyntaxError"),
        ("TWO = 1", "AttributeError"),
        ("raise SystemExit('not here')", "SystemExit: not here"),
        ("raise ValueError('two\\nlines \\x1b[31mred')", "ValueError: two lines \ufffd[31mred"),
        ("raise ValueError", "(ValueError)"),
        ("class Panic(BaseException): pass\nraise Panic('in Rust')", "Panic: in Rust"),
        ("raise ValueError('x' * 10_000)", "xxx…"),
    ],
)
def test_a_failed_import_is_reported_in_one_line(site: Site, code: str, reason: str) -> None:
    site.install("acme", ONE, {"acme": code})
    with pytest.raises(UsageError) as raised:
        find_plugin(FORMATS, "one")
    assert raised.value.message.startswith("plug-in 'one' of acme 1.0 cannot be used (")
    assert (reason in raised.value.message, "\n" in raised.value.message) == (True, False), raised.value.message
    assert raised.value.hint == "update or uninstall it: pip uninstall acme"


def test_an_older_version_later_on_the_path_is_ignored(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.install("acme", ONE, {"acme": "ONE = 1"})
    behind = Site(site.path / "behind")
    behind.install("Acme", ONE, {}, version="0.9")
    monkeypatch.setattr(sys, "path", [*sys.path, str(behind.path)])
    plugin = find_plugin(FORMATS, "one")
    assert plugin is not None
    assert plugin.package == "acme 1.0"


def test_a_package_found_twice_counts_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.install("acme", ONE, {"acme": "ONE = 1"})
    again = site.path.with_name("site64")
    again.symlink_to(site.path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(again)])
    assert find_plugin(FORMATS, "one") is not None


@pytest.mark.parametrize("left", ["nothing", "metadata"])
def test_remains_of_an_older_version_hide_nothing(site: Site, monkeypatch: pytest.MonkeyPatch, left: str) -> None:
    before = Site(site.path.with_name("before"))
    folder = before.install("acme", "", {}, version="0.9")
    for file in ("entry_points.txt",) if left == "metadata" else ("entry_points.txt", "METADATA"):
        (folder / file).unlink()
    site.install("acme", ONE, {"acme": "ONE = 1"})
    monkeypatch.syspath_prepend(str(before.path))
    assert find_plugin(FORMATS, "one") is not None


def test_two_packages_with_the_same_plug_in_name_are_refused(site: Site) -> None:
    site.install("acme", ONE, {"acme": "ONE = 1"})
    site.install("beta", ONE, {"beta": "ONE = 2"})
    with pytest.raises(UsageError, match=r"two packages: (acme 1.0 and beta 1.0|beta 1.0 and acme 1.0)"):
        find_plugin(FORMATS, "one")


@pytest.mark.parametrize("damage", ["METADATA", "entry_points.txt"])
def test_broken_metadata_of_one_package_does_not_hide_another(site: Site, damage: str) -> None:
    (site.install("broken", "[llmbatch.formats]\ntwo = x:Y\n", {}) / damage).write_bytes(b"\xff\xfe[\x00\n=\n")
    site.install("acme", ONE, {"acme": "ONE = 1"})
    assert find_plugin(FORMATS, "one") is not None


@pytest.mark.parametrize("entry", ["", "."])
def test_no_plug_in_is_found_in_the_current_folder(site: Site, monkeypatch: pytest.MonkeyPatch, entry: str) -> None:
    site.install("acme", ONE, {"acme": "raise AssertionError('imported')"})
    monkeypatch.chdir(site.path)
    monkeypatch.setattr(sys, "path", [entry, *sys.path])
    assert plugin_names(FORMATS) == ()


@pytest.mark.parametrize("is_package", [False, True])
def test_an_installed_plug_ins_module_is_not_imported_from_the_current_folder(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_package: bool
) -> None:
    site.install("acme", ONE, {"acme": "ONE = 1"})
    stranger = tmp_path / "stranger"
    module = stranger / "acme" / "__init__.py" if is_package else stranger / "acme.py"
    module.parent.mkdir(parents=True)
    module.write_text("raise AssertionError('imported')")
    monkeypatch.chdir(stranger)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    with pytest.raises(UsageError, match="module 'acme' would be imported from the current folder"):
        find_plugin(FORMATS, "one")


def test_a_package_under_development_is_used_in_its_own_folder(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    metadata = site.install("acme", ONE, {})
    (metadata / "direct_url.json").write_text('{"url": "file:///x", "dir_info": {"editable": true}}')
    (tmp_path / "acme.py").write_text("ONE = 1")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    assert find_plugin(FORMATS, "one") is not None


def test_a_package_next_to_the_documents_is_never_imported(tmp_path: Path) -> None:
    program = Program(tmp_path)
    write_rows(tmp_path / "docs.one", documents(1))
    Site(tmp_path).install("acme", ONE, {"acme": "print('imported')"})
    for path in (str(tmp_path), ""):
        process = program.start("estimate", "docs.one", program=PROGRAM, PYTHONPATH=f"{path}:/nonexistent")
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out, "unknown file type" in err) == (2, "", True), err


def test_a_bug_report_names_the_packages_with_plug_ins(extended: Program) -> None:
    report = extended("--version", "--json").json
    assert report.items() >= {"llmbatch-mailbox": "1.0", "llmbatch-ollama": "1.0"}.items()
