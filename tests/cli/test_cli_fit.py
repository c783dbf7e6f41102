"""`nbhelpers fit`: answers, refusals and the JSON that scripts read."""

import pytest

from nbhelpers.cli.app import run

GIB = 1 << 30
SMALL = ["--text-tokens", "16", "--new-tokens", "2"]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("NBHELPERS_SCRATCH", str(tmp_path_factory.getbasetemp() / "fit"))


def test_the_answer_has_the_parts_in_bytes():
    answer = run(["fit", "qwen2.5-coder-0.5b", *SMALL, "--budget", "16"])
    data = answer.data
    assert answer.exit_code == 0
    assert data["fits"] is True
    assert data["verdict"] == "fits"
    assert data["device"] == "cuda"
    assert data["static"] == pytest.approx(494_032_768 * 2, rel=0.01)
    assert data["peak"] >= data["static"] + data["activations"] + data["optimizer"] + data["gradients"]
    assert data["needed"] == data["peak"] + data["context"]
    assert len(data["largest"]) == 5
    assert data["largest"][0]["name"] == "weights of text.mlp"
    assert "fits: needs" in answer.text
    assert "largest at the peak" in answer.text


def test_what_does_not_fit_is_still_an_answer():
    answer = run(["fit", "qwen2.5-coder-0.5b", *SMALL, "--budget", "0.5"])
    assert answer.exit_code == 0
    assert answer.data["fits"] is False
    assert answer.data["verdict"] == "too large"
    assert "does not fit" in answer.data["reason"]
    assert any("nf4" in idea for idea in answer.data["advice"])


def test_four_bits_leave_embeddings_and_norms():
    plain = run(["fit", "qwen2.5-coder-0.5b", *SMALL, "--budget", "16"]).data
    packed = run(["fit", "qwen2.5-coder-0.5b", *SMALL, "--budget", "16", "--quantize", "nf4"]).data
    embedding = 151936 * 896 * 2
    assert plain["static"] - embedding > 3 * (packed["static"] - embedding)
    assert packed["static"] > embedding


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["qwen2.5-vl-3"], "qwen2.5-vl-3b"),
        (["qwen2.5-coder-0.5b", "--frames", "8"], "takes text only"),
        (["qwen2.5-coder-0.5b", "--images", "2"], "takes text only"),
        (["qwen2.5-coder-0.5b", "--task", "attack"], "takes text only"),
        (["qwen2.5-coder-0.5b", "--budget", "-1"], "above 0"),
        (["qwen2.5-coder-0.5b", "--budget", "inf"], "at most 1,048,576 GiB"),
        (["qwen2.5-coder-0.5b", "--batch", "0"], "batch 0"),
        (["qwen2.5-coder-0.5b", "--dtype", "float8"], "dtype"),
        (["gemma-3-4b", "--dtype", "float16", "--budget", "16"], "overflows in float16"),
        (["qwen2.5-coder-0.5b", "--budget", "16", "--capability", "8"], "such as 7.5 (T4)"),
    ],
)
def test_what_cannot_be_answered_is_one_sentence(arguments, message):
    answer = run(["fit", *arguments])
    assert answer.exit_code == 2
    assert message in answer.error
    assert "\n" not in answer.error


def test_a_gpu_that_is_not_here_is_planned_by_its_capability():
    arguments = ["fit", "qwen2.5-coder-0.5b", *SMALL, "--budget", "24", "--capability"]
    t4, rtx3090 = run([*arguments, "7.5"]), run([*arguments, "8.6"])
    assert (t4.data["dtype"], rtx3090.data["dtype"]) == ("float16", "bfloat16")
    assert "compute capability 7.5" in t4.text and "8.6" in rtx3090.text


@pytest.mark.slow
def test_a_script_reads_the_json(call_json):
    code, data, _ = call_json("fit", "tiny/qwen2.5-vl", "--task", "tune", "--frames", "4", "--budget", "4")
    assert code == 0
    assert data["fits"] is True
    assert data["trainable"] > 0
    assert {"peak", "static", "activations", "optimizer", "largest", "fits", "reason"} <= set(data)
