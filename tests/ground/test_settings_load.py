"""Profiles, overlays, overrides, substitution and what is said about mistakes."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from nbhelpers.errors import BadInput
from nbhelpers.runtime import Choice
from nbhelpers.settings import SECTIONS, Settings, load, load_settings, profile_names


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in ("NBHELPERS_MEMORY_LIMIT_GIB", "NBHELPERS_MEMORY_KEEP_FREE_GIB", "NBHELPERS_PROFILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def write(tmp_path):
    def write(text, name="mine.yaml"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def complaint(*args, **kwargs):
    """The one line said about bad input."""
    with pytest.raises(BadInput) as caught:
        load_settings(*args, **kwargs)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_the_three_profiles_load_and_hold_every_phase():
    assert profile_names() == ["cpu", "rtx3090", "t4"]
    for name in profile_names():
        found = load_settings(name)
        assert (found.profile, found.reason) == (name, "it was asked for")
        sections = ["memory", "data", "codegen", "degrade", "attack", "video", "teach", "distill", "export"]
        assert list(found.to_dict()) == list(SECTIONS) == sections


def test_the_default_budget_is_16_gib_with_2_kept_free():
    memory = load_settings("cpu").memory
    assert (memory.limit_gib, memory.keep_free_gib) == (16.0, 2.0)


def test_profiles_inherit_and_merge_key_by_key():
    base, large = load_settings("cpu"), load_settings("rtx3090")
    assert large.memory.limit_gib == 24.0 != base.memory.limit_gib
    assert large.memory.sample_interval_s == base.memory.sample_interval_s
    assert large.data.split == base.data.split


def test_auto_takes_the_machines_profile_and_its_reason(monkeypatch):
    monkeypatch.setattr(load, "choose_profile", lambda: Choice("t4", "Tesla T4 has 15.0 GiB"))
    found = load_settings()
    assert (found.profile, found.reason) == ("t4", "Tesla T4 has 15.0 GiB")
    assert found.to_dict() == load_settings("t4").to_dict()


def test_settings_cannot_be_changed_afterwards():
    found = load_settings("cpu")
    with pytest.raises(AttributeError):
        found.profile = "t4"
    with pytest.raises(ValidationError):
        found.data.seed = 3


def test_section_by_name():
    found = load_settings("cpu")
    assert found.section("data") is found.data
    with pytest.raises(BadInput, match=r"'exports': there is no such phase \(did you mean 'export'\?\)"):
        found.section("exports")


# ---- overrides, overlay, own profile


def test_overrides_win_over_the_file_and_the_file_over_the_profile(write):
    path = write("data: {seed: 5, scenes: 50}\nmemory:\n  # nothing here yet\n")
    found = load_settings("cpu", ["data.seed=6", "data.split=train:0.5,val:0.5"], path)
    assert (found.data.seed, found.data.scenes, found.data.split) == (6, 50, "train:0.5,val:0.5")
    assert found.data.cache_mib == load_settings("cpu").data.cache_mib
    assert found.memory == load_settings("cpu").memory


def test_the_last_override_wins():
    assert load_settings("cpu", ["data.seed=1", "data.seed=2"]).data.seed == 2


def test_a_group_is_merged_key_by_key(write):
    path = write("teach:\n  detector: {r: 4, steps: 9}\n  segmenter:\n    # nothing here yet\n")
    plain, found = load_settings("cpu").teach, load_settings("cpu", ["teach.detector.r=8"], path).teach
    assert (found.detector.r, found.detector.steps) == (8, 9)
    assert (
        found.detector.model_copy(update={"r": plain.detector.r, "steps": plain.detector.steps})
        == plain.detector
    )
    assert found.segmenter == plain.segmenter
    one = load_settings(str(write("teach: {segmenter: {points: 2}}\n", "own.yaml"))).teach.segmenter
    assert (one.r, one.alpha) == (8, 16), (
        "what the section gives SAM, not what the class of LoRA settings gives"
    )


def test_a_variable_in_a_group_is_named_with_its_full_path(write):
    path = write("extends: cpu\nteach:\n  detector: {steps: '${oc.env:NOT_SET_ANYWHERE}'}\n")
    assert complaint(str(path)).startswith(f"{path}: teach.detector.steps: ")


@pytest.mark.parametrize("as_type", [str, lambda path: path])
def test_an_own_file_is_a_profile(write, as_type):
    path = write("extends: t4\ndata:\n  seed: 9\n")
    found = load_settings(as_type(path))
    assert (found.profile, found.data.seed) == (str(path), 9)
    assert found.export == load_settings("t4").export


def test_which_built_in_profile_it_stands_on(write, tmp_path):
    assert [load_settings(name).built_in for name in profile_names()] == profile_names()
    parent = write("extends: rtx3090\n", "parent.yaml")
    write("extends: parent.yaml\n", "child.yaml")
    assert load_settings(str(parent), file=write("data: {seed: 1}\n")).built_in == "rtx3090"
    assert load_settings(str(tmp_path / "child.yaml")).built_in == "rtx3090"
    assert load_settings(str(write("extends: base\n", "base.yaml"))).built_in == "cpu"


def test_the_real_teachers_are_tuned_gently_and_in_small_batches():
    for name in ("t4", "rtx3090"):
        for one in (load_settings(name).teach.detector, load_settings(name).teach.segmenter):
            assert (one.learning_rate, one.batch * one.accumulate, one.model) == (1e-4, 4, "auto")


def test_an_own_profile_may_extend_another_file_beside_it(write, monkeypatch, tmp_path):
    (tmp_path / "deep").mkdir()
    write("extends: cpu\ndata: {seed: 1, scenes: 20}\n", "parent.yaml")
    path = write("extends: ../parent.yaml\ndata: {seed: 2}\n", "deep/child.yml")
    found = load_settings(str(path))
    assert (found.data.seed, found.data.scenes) == (2, 20)


def test_an_empty_profile_is_all_defaults(write):
    found = load_settings(str(write("# nothing\n")))
    assert found.data == SECTIONS["data"]()


def test_what_is_written_is_read_back(write):
    overrides = [
        "data.seed=3",
        r"data.split=\${oc.env:HOME}",
        "teach.segmenter.r=5",
        "distill.losses.logit=.5",
    ]
    found = load_settings("t4", [*overrides, "teach.detector.roles=[fusion]"])
    assert (found.teach.segmenter.r, found.teach.detector.roles) == (5, ("fusion",))
    assert found.data.split == "${oc.env:HOME}"
    again = load_settings(str(write(found.to_yaml())))
    assert again.to_dict() == found.to_dict()
    assert found.to_yaml().startswith("# profile: t4 (it was asked for)\n")


PIECES = st.lists(st.sampled_from(["\\", "${", "}", "oc.env:HOME", ":", " ", "#", "é", "'", "1"])).map(
    "".join
)
TEXT = PIECES | st.text(st.characters(exclude_categories=["Cs", "Cc"]))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31), text=TEXT, limit=st.floats(0.1, 1e6))
@example(seed=0, text="0E0", limit=1.0)  # no number for PyYAML, one for omegaconf
@example(seed=0, text="???", limit=1.0)  # what omegaconf takes for a value that is missing
def test_any_values_survive_the_round_trip(seed, text, limit, tmp_path_factory):
    data = SECTIONS["data"].model_construct(seed=seed, split=text)  # unchecked: any text
    teach = SECTIONS["teach"](detector={"r": seed + 1, "roles": ["fusion", text]}, segmenter={"focal": limit})
    rest = {phase: SECTIONS[phase]() for phase in SECTIONS}
    found = Settings(
        "p", "", **rest | {"memory": SECTIONS["memory"](limit_gib=limit), "data": data, "teach": teach}
    )
    path = tmp_path_factory.mktemp("settings") / "p.yaml"
    path.write_text(found.to_yaml(), encoding="utf-8")
    assert load_settings(str(path)).to_dict() == found.to_dict()


# ---- substitution


def test_environment_substitution(write, monkeypatch):
    path = write(
        "extends: cpu\ndata:\n  seed: ${oc.env:MY_SEED,4}\n  split: train:${oc.env:MY_SHARE,0.9},val:0.1\n"
    )
    assert load_settings(str(path)).data.seed == 4
    monkeypatch.setenv("MY_SEED", "11")
    monkeypatch.setenv("MY_SHARE", "0.8")
    found = load_settings(str(path)).data
    assert (found.seed, found.split) == (11, "train:0.8,val:0.1")


def test_the_memory_limit_can_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("NBHELPERS_MEMORY_LIMIT_GIB", "6.5")
    assert load_settings("cpu").memory.limit_gib == 6.5
    monkeypatch.setenv("NBHELPERS_MEMORY_LIMIT_GIB", "lots")
    assert complaint("cpu") == (
        "profiles/base.yaml: memory.limit_gib is 'lots' (from ${oc.env:NBHELPERS_MEMORY_LIMIT_GIB,16}); "
        "allowed: a number above 0"
    )


def test_a_missing_variable_names_file_key_and_variable(write):
    path = write("extends: cpu\ndata:\n  seed: ${oc.env:NOT_SET_ANYWHERE}\n")
    text = complaint(str(path))
    assert text.startswith(f"{path}: data.seed: ")
    assert "NOT_SET_ANYWHERE" in text


# ---- mistakes


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("data.sede=1", "unknown key data.sede (did you mean 'seed'?); allowed: seed, split"),
        ("data.banana=1", "unknown key data.banana; allowed: seed, split"),
        ("dat.seed=1", "unknown section 'dat' (did you mean 'data'?); allowed: memory, data, codegen, "),
        ("teach.epochs=1", "unknown key teach.epochs; allowed: seed"),
        ("teach.detector.rr=8", "unknown key teach.detector.rr (did you mean 'r'?); allowed: model, "),
        ("teach.detector.r=0", "teach.detector.r is 0; allowed: a whole number at least 1"),
        ("teach.detector.r=true", "teach.detector.r is True; allowed: a whole number at least 1"),
        ("teach.detector=8", "teach.detector is 8; allowed below it: model, roles, r"),
        ("teach.detector.r.x=8", "teach.detector.r is {'x': 8}; allowed: a whole number at least 1"),
        ("teach.segmenter.box_jitter=0.5", "is 0.5; allowed: a number at least 0 and below 0.5"),
        ("teach.detector.roles=text", "is 'text'; allowed: a list of text, null"),
        ("teach.detector.roles=[1]", "teach.detector.roles is [1]; allowed: a list of text, null"),
        ("teach.precision=fp6", "teach.precision is 'fp6' (did you mean 'fp16'?); allowed: 'auto', 'no'"),
        ("distill.losses.logits=1", "unknown key distill.losses.logits (did you mean 'logit'?)"),
        ("music.fps=1", "unknown section 'music'"),
        ("data.seed=many", "data.seed is 'many'; allowed: a whole number at least 0"),
        ("data.seed=-1", "data.seed is -1; allowed: a whole number at least 0"),
        ("data.seed=1.5", "data.seed is 1.5; allowed: a whole number"),
        ("data.seed=true", "data.seed is True; allowed: a whole number"),
        ("data.seed=", "data.seed is missing; allowed: a whole number"),
        ("data.seed=[1, 2]", "data.seed is [1, 2]; allowed: a whole number"),
        ("data.seed.x=1", "data.seed is {'x': 1}; allowed: a whole number"),
        ("data.strict=maybe", "data.strict is 'maybe'; allowed: true or false"),
        ("data.split=3", "data.split is 3; allowed: text"),
        ("memory.sample_interval_s=11", "is 11; allowed: a number above 0 and at most 10"),
        ("memory.limit_gib=nan", "memory.limit_gib is 'nan'"),
        ("distill.student=yolo8", "is 'yolo8' (did you mean 'yolov8'?); allowed: 'auto', 'yolov8', "),
        ("distill.size=xl", "distill.size is 'xl'"),
        ("data", "write phase.key=value, such as distill.epochs=3"),
        ("data=1", "write phase.key=value"),
        ("=1", "write phase.key=value"),
        ("data.=1", "write phase.key=value"),
        ("data..seed=1", "write phase.key=value"),
        ("data.split=a: b: c", "the value cannot be read as YAML"),
    ],
)  # fmt: skip
def test_a_wrong_override_is_named_with_what_is_allowed(override, said):
    text = complaint("cpu", [override])
    assert text.startswith(f"--set {override}: ")
    assert said in text


def test_the_file_that_holds_the_mistake_is_named_not_the_one_that_inherits_it(write):
    parent = write("extends: cpu\ndata: {seed: oops}\n", "parent.yaml")
    child = write("extends: parent.yaml\ndata: {scenes: 20}\n", "child.yaml")
    assert complaint(str(child)).startswith(f"{parent}: data.seed is 'oops'")
    assert load_settings(str(child), ["data.seed=1"]).data.seed == 1, "an override mends it"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("data: 3\n", "section data is 3; allowed below it: seed, split"),
        ("data: [1]\n", "section data is [1]"),
        ("- data\n", "must hold sections"),
        ("data: {seed: 1\n", "is not YAML that can be used"),
        ("data: {seed: 1, seed: 2}\n", "found duplicate key seed"),
        ("data:\n\tseed: 1\n", "line 2"),
        ("data:\n  split: ${oc.env:\n", "is not YAML that can be used"),
        ("extends: [cpu, t4]\n", "extends is ['cpu', 't4'], but must be one profile name or file"),
        ("extends: gpu\n", "extends 'gpu': there is no such profile (did you mean 'cpu'?); known: base, cpu"),
        ("extends: other.yaml\n", "other.yaml: there is no such file"),
        ("serve: {port: 1}\n", "unknown section 'serve'"),
        ("1: {seed: 1}\n", "unknown section '1'"),
        ("just words", "unknown section 'just words'"),
        ("extends:\n", "extends is None, but must be one"),
    ],
)  # fmt: skip
def test_a_wrong_profile_file_is_named(write, text, said):
    path = write(text)
    found = complaint(str(path))
    assert said in found
    assert str(path.parent) in found


def test_circles_are_shown(write):
    write("extends: b.yaml\n", "a.yaml")
    path = write("extends: a.yaml\n", "b.yaml")
    text = complaint(str(path))
    assert "in a circle" in text
    assert text.count("b.yaml") >= 2
    own = write("extends: own.yaml\n", "own.yaml")
    assert "in a circle" in complaint(str(own))


@pytest.mark.parametrize(
    ("profile", "said"),
    [
        ("cpuu", "(did you mean 'cpu'?); known: auto, cpu, rtx3090, t4, or the path of a YAML file"),
        ("kaggle", "profile 'kaggle': there is no such profile; known: auto"),
        ("base", "profile 'base': there is no such profile"),
        ("", "profile '': there is no such profile"),
        ("missing/mine.yaml", "missing/mine.yaml: there is no such file"),
    ],
)
def test_an_unknown_profile(profile, said):
    assert said in complaint(profile)


def test_a_profile_that_is_no_text(tmp_path):
    path = tmp_path / "picture.yaml"
    path.write_bytes(b"\x89PNG\r\n\x1a\n\xff")
    assert f"{path}: cannot be read as UTF-8 text" in complaint(str(path))
    assert "cannot be read" in complaint("cpu", file=tmp_path)


def test_an_overlay_may_not_extend(write):
    path = write("extends: t4\n")
    assert "`extends` only works in a profile" in complaint("cpu", file=path)


def test_bad_input_exits_with_2():
    with pytest.raises(BadInput) as caught:
        load_settings("nope")
    assert caught.value.exit_code == 2
