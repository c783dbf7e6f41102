"""Pins against what is installed and what is loaded, the doctor's table, the banner."""

import importlib.metadata
import json
import sys
import types

import pytest

from nbhelpers.runtime import Choice, banner, check_versions, doctor, size_text, text_table, versions


@pytest.fixture
def pins(monkeypatch):
    """Make the package's metadata and the installed versions whatever a test needs."""

    def build(requires, installed, python=">=3.11"):
        own = types.SimpleNamespace(metadata={"Requires-Python": python}, requires=requires)
        monkeypatch.setattr(versions.metadata, "distribution", lambda name: own)

        def version(name):
            if name not in installed:
                raise importlib.metadata.PackageNotFoundError(name)
            return installed[name]

        monkeypatch.setattr(versions.metadata, "version", version)

    return build


def check(name):
    return next(found for found in check_versions() if found.package == name)


def load(monkeypatch, name, **attributes):
    module = types.ModuleType(name)
    vars(module).update(attributes)
    monkeypatch.setitem(sys.modules, name, module)


def test_this_machine_is_as_tested():
    found = {item.package: item for item in check_versions()}
    assert found["torch"].wanted == ">=2.14,<2.15"
    assert found["torch"].installed == importlib.metadata.version("torch")
    assert not [item for item in found.values() if not item.ok]
    assert "nbval" not in found, "development tools are not part of it"


def test_loaded_differs_from_disk(pins, monkeypatch):
    pins(["madeup-lib<3,>=2"], {"madeup-lib": "2.5.1", "nbhelpers": "0.1.0"})
    load(monkeypatch, "madeup_lib", __version__="2.5.0")
    found = check("madeup-lib")
    assert not found.ok
    assert (found.installed, found.loaded) == ("2.5.1", "2.5.0")
    assert found.note == "2.5.0 is loaded but 2.5.1 is on disk: restart the kernel"


@pytest.mark.parametrize(
    ("installed", "loaded"), [("2.5.1", "2.5.1+cu130"), ("2.5", "2.5.0"), ("2.6.0rc1", "2.6.0rc1")]
)
def test_the_same_release_in_other_words_is_the_same(pins, monkeypatch, installed, loaded):
    pins(["madeup"], {"madeup": installed, "nbhelpers": "0.1.0"})
    load(monkeypatch, "madeup", __version__=loaded)
    assert check("madeup").ok


def test_a_lazy_module_is_not_woken(pins, monkeypatch):
    pins(["madeup"], {"madeup": "1.0", "nbhelpers": "0.1.0"})

    def wake(name):
        raise AssertionError(f"{name} was looked up")

    load(monkeypatch, "madeup", __getattr__=wake)
    assert check("madeup").loaded is None


def test_modules_with_another_name_than_their_package(pins, monkeypatch):
    pins(["pillow"], {"pillow": "13.0.0", "nbhelpers": "0.1.0"})
    load(monkeypatch, "PIL", __version__="12.0.0")
    assert check("pillow").loaded == "12.0.0"
    assert not check("pillow").ok


def test_out_of_range_and_missing_say_the_mend(pins):
    pins(["old<3,>=2", "gone>=1"], {"old": "1.9", "nbhelpers": "0.1.0"})
    assert 'pip install "old>=2,<3"' in check("old").note
    assert check("gone").installed is None
    assert 'pip install "gone>=1"' in check("gone").note
    assert not check("old").ok
    assert not check("gone").ok


def test_extras_are_listed_only_where_installed(pins):
    requires = ["ray>=2; extra == 'cluster'", "tensorrt>=10; extra == 'tensorrt'", "pytest; extra == 'dev'"]
    pins(requires, {"ray": "1.0", "pytest": "9.0", "nbhelpers": "0.1.0"})
    assert [item.package for item in check_versions()] == ["python", "nbhelpers", "ray"]
    assert not check("ray").ok


def test_requirements_for_other_systems_are_left_out(pins):
    pins(["pywin32; sys_platform == 'win32'"], {"nbhelpers": "0.1.0"})
    assert [item.package for item in check_versions()] == ["python", "nbhelpers"]


def test_an_old_python_fails(pins):
    pins([], {"nbhelpers": "0.1.0"}, python=">=3.99")
    assert not check("python").ok


def test_a_clone_that_was_never_installed(monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(versions.metadata, "distribution", missing)
    (only,) = check_versions()
    assert not only.ok
    assert "pip install -e ." in only.note


def test_doctor_is_whole_and_plain_json():
    found = doctor()
    text = json.dumps(found.to_dict(), allow_nan=False)
    kept = json.loads(text)
    assert kept["ok"] is found.ok
    assert {"place", "gpus", "ram", "scratch", "results", "device", "dtype", "profile", "versions"} <= set(
        kept
    )
    items = [row.item for row in found.rows()]
    assert {"where", "memory", "scratch", "results", "device", "dtype", "profile", "torch"} <= set(items)
    assert len(found.table().splitlines()) == len(items)


def test_doctor_fails_with_any_failed_line(pins):
    pins(["gone>=1"], {"nbhelpers": "0.1.0"})
    found = doctor()
    assert not found.ok
    assert "[FAIL]  gone" in found.table()


def test_banner_aligns_and_gives_every_reason():
    text = banner(
        profile=Choice("t4", "Tesla T4 has 15.0 GiB"),
        device=Choice("cuda:0", "the only GPU"),
        dtype=Choice("float16", "7.5"),
        run="r1",
    )
    lines = text.splitlines()
    assert [line.split()[0] for line in lines] == ["where", "profile", "device", "dtype", "run"]
    assert lines[2] == f"device   {'cuda:0':<{lines[1].index('Tesla') - 9}}the only GPU"
    assert lines[4] == "run      r1"


def test_tables_and_sizes():
    assert text_table([]) == ""
    assert text_table([("a", "bb"), ("ccc", "d")], ["x", "y"]) == "x    y\n---  --\na    bb\nccc  d"
    assert [size_text(n) for n in (0, 1023, 1536, 5 << 20, 16 << 30, -2048)] == [
        "0 B",
        "1023 B",
        "1.5 KiB",
        "5.0 MiB",
        "16.0 GiB",
        "-2.0 KiB",
    ]
