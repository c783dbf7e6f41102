from pathlib import Path

import pytest

from nbhelpers.errors import BadInput
from nbhelpers.notebooks import find_notebooks, runs_root
from nbhelpers.notebooks.digest import data_digest, digest, sources_digest
from nbhelpers.notebooks.plan import choose, make_steps, typed
from nbhelpers.settings import load_settings


def test_values_are_typed_by_yaml():
    values = typed(["a=3", "b=0.5", "c=yes", "d=[1, 2]", "e=text", "f=", "g=a=b", "h='3'"])
    assert values == {"a": 3, "b": 0.5, "c": True, "d": [1, 2], "e": "text", "f": None, "g": "a=b", "h": "3"}


@pytest.mark.parametrize("pair", ["novalue", "=3", "a=[1, 2", "a={"])
def test_a_bad_pair_is_refused_with_its_text(pair):
    with pytest.raises(BadInput, match=r"key=value|not YAML"):
        typed([pair])


def test_a_parameter_given_twice_is_refused():
    with pytest.raises(BadInput, match="twice"):
        typed(["a=1", "a=2"])


def test_notebooks_are_meant_by_number_or_phase_and_run_in_order(folder):
    found = find_notebooks(folder)
    assert list(found) == ["02", "08"]
    assert list(choose(["8", "data"], found)) == ["02", "08"]
    assert choose(["all"], found) == choose([], found) == found
    with pytest.raises(BadInput, match=r"02 \(data\), 08 \(distill\); did you mean 'distill'"):
        choose(["distil"], found)


def test_an_unknown_parameter_names_the_known_ones(folder):
    with pytest.raises(BadInput, match=r"'n_image'.*body, data, images, n_images; did you mean 'n_images'"):
        make_steps(find_notebooks(folder), {"n_image": 3}, False)


def test_a_parameter_goes_to_the_notebooks_that_know_it(folder):
    data, distill = make_steps(find_notebooks(folder), {"n_images": 5}, False)
    assert data.given == {"n_images": 5}
    assert distill.given == {}
    with pytest.raises(BadInput, match="unknown parameter 'body'"):
        make_steps(choose(["02"], find_notebooks(folder)), {"body": ""}, False)


def test_the_runners_own_parameters_have_options(folder):
    with pytest.raises(BadInput, match="use --profile"):
        make_steps(find_notebooks(folder), {"profile": "cpu"}, False)


def test_a_notebook_that_lacks_what_the_runner_sets_is_refused(tmp_path, write_notebook):
    path = write_notebook(tmp_path / "01_x.ipynb", ["1"], 'profile = "auto"')
    with pytest.raises(BadInput, match="lacks run_id, runs"):
        make_steps({"01": path}, {}, False)


def test_a_folder_without_notebooks_is_refused(tmp_path):
    with pytest.raises(BadInput, match="holds no numbered notebook"):
        find_notebooks(tmp_path)
    with pytest.raises(BadInput, match="no such folder"):
        find_notebooks(tmp_path / "none")


def test_the_fingerprint_changes_with_what_the_phase_rests_on_and_only_with_that(folder, tmp_path):
    def prints(given, overrides=()):
        step = make_steps(choose(["02"], find_notebooks(folder)), given, bool(overrides))[0]
        return step.fingerprint(load_settings("cpu", overrides))

    coco = tmp_path / "a.json"
    coco.write_text("{}")
    base = prints({})
    assert base == prints({})
    assert base == prints({}, ["distill.epochs=3"])  # another phase's setting
    changed = {
        "settings": prints({}, ["data.seed=1"]),
        "parameters": prints({"n_images": 9}),
        "data": prints({"data": str(coco)}),
    }
    for word, other in changed.items():
        assert {key for key in base if base[key] != other[key]} == {word}
    before = prints({"data": str(coco)})
    coco.write_text('{"images": []}')
    assert before["data"] != prints({"data": str(coco)})["data"]


def test_a_phase_that_makes_the_data_itself_rests_on_the_settings_of_the_data(folder):
    step = make_steps(choose(["08"], find_notebooks(folder)), {}, True)[0]
    base = step.fingerprint(load_settings("cpu"))["settings"]
    for override, counts in (("data.labelled=0.5", True), ("teach.seed=1", True), ("export.runs=50", False)):
        found = step.fingerprint(load_settings("cpu", [override]))["settings"]
        assert (found != base) is counts, override


def test_prose_and_outputs_of_a_notebook_do_not_count(folder):
    import nbformat

    path = folder / "02_prepare_data.ipynb"
    settings = load_settings("cpu")

    def fingerprint():
        return make_steps({"02": path}, {}, False)[0].fingerprint(settings)["notebook"]

    before, notebook = fingerprint(), nbformat.read(path, as_version=4)
    notebook.cells[0].source = "# Other words"
    notebook.cells[2].outputs = [nbformat.v4.new_output("stream", text="x")]
    nbformat.write(notebook, path)
    assert fingerprint() == before
    notebook.cells[2].source += "\nprint(1)"
    nbformat.write(notebook, path)
    assert fingerprint() != before


def test_digests_follow_contents(tmp_path):
    (tmp_path / "images").mkdir()
    data, image = tmp_path / "a.json", tmp_path / "images" / "1.png"
    data.write_text("{}")
    image.write_bytes(b"1")
    tree, both = digest(tmp_path), data_digest(data, None)
    assert (digest(tmp_path), data_digest(data, None)) == (tree, both)
    image.write_bytes(b"12")
    assert digest(tmp_path) != tree
    assert data_digest(data, None) != both
    assert data_digest(data, tmp_path / "images") != data_digest(data, tmp_path)


def test_the_sources_count_but_not_the_runner_and_the_command_line(tmp_path):
    for name, counts in (
        ("data/a.py", 1),
        ("notebooks/session.py", 1),
        ("cli/a.py", 0),
        ("notebooks/run.py", 0),
    ):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        before = sources_digest(tmp_path)
        path.write_text("1")
        assert (sources_digest(tmp_path) != before) == bool(counts), name


def test_runs_lie_where_asked_then_by_variable_then_in_the_clone(tmp_path, monkeypatch):
    root = Path(__file__).resolve().parents[2]
    monkeypatch.delenv("NBHELPERS_RUNS", raising=False)
    monkeypatch.chdir(root / "nbhelpers")
    if (root / "notebooks").is_dir():
        assert runs_root() == root / "runs"
    monkeypatch.setenv("NBHELPERS_RUNS", str(tmp_path / "env"))
    assert runs_root() == tmp_path / "env"
    assert runs_root(tmp_path / "asked") == tmp_path / "asked"
    monkeypatch.delenv("NBHELPERS_RUNS")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NBHELPERS_RESULTS", str(tmp_path / "kept"))
    assert runs_root() == tmp_path / "kept" / "runs"
