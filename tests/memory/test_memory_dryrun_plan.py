"""Whole dry runs of real classes, against known sizes, each other and steps that really ran."""

import subprocess
import sys
from pathlib import Path

import pytest

from nbhelpers.errors import BadInput, CheckFailed
from nbhelpers.memory import Budget, MemoryPlan, Shapes, accelerate_estimate, dry_run, measure_step
from nbhelpers.models import family_of, full_config
from nbhelpers.models.comparing import CASES, compare_step
from nbhelpers.models.fitting import RTX3090, T4, fits_table, plan

GIB = 1 << 30
SHORT = Shapes(text_tokens=32, new_tokens=4)


def coder(task="tune", shapes=SHORT, quantize=None, **options):
    config = full_config("qwen2.5-coder-0.5b")
    config.num_hidden_layers, config.layer_types = 2, ["full_attention"] * 2
    return dry_run(family_of(config), config, task, shapes, quantize, **options)


def test_parts_add_up_and_survive_json():
    found = coder(device="cpu")
    assert found.static + found.activations + found.optimizer + found.gradients == found.peak
    assert found.context == 0
    assert found.dtype == "float32"
    assert MemoryPlan.from_dict(found.to_dict()) == found
    on_gpu = coder(device="cuda", capability=(7, 5))
    assert on_gpu.dtype == "float16"
    assert on_gpu.context > 0
    assert on_gpu.peak >= on_gpu.static + on_gpu.activations


def test_the_parts_of_the_table_are_the_whole_peak():
    on_gpu, on_cpu = coder(device="cuda", capability=(7, 5)), coder(device="cpu")
    assert on_gpu.gaps > 0
    assert on_gpu.peak == on_gpu.gaps + sum(
        (on_gpu.static, on_gpu.activations, on_gpu.optimizer, on_gpu.gradients)
    )
    assert "rounding and gaps of the allocator" in on_gpu.table()
    assert on_cpu.gaps == 0
    assert "allocator" not in on_cpu.table()


def test_more_of_anything_takes_more():
    few = coder().activations
    assert coder(shapes=Shapes(text_tokens=64)).activations > few
    assert coder(shapes=Shapes(text_tokens=32, batch=2)).activations > few
    long = Shapes(text_tokens=512)
    assert coder(shapes=long, gradient_checkpointing=False).activations > coder(shapes=long).activations
    assert coder("full").optimizer > 20 * coder().optimizer


def test_the_vocabulary_is_named():
    found = coder(shapes=Shapes(text_tokens=512))
    names = [consumer.name for consumer in found.largest]
    assert any("logits" in name for name in names)
    assert any("logits only where there is a label" in idea for idea in found.advice())


def test_verdicts():
    found = coder(device="cpu")
    assert found.verdict(Budget(found.peak * 2, "here")) == "fits"
    assert found.verdict(Budget(found.peak + 1, "here")) == "tight"
    assert found.verdict(Budget(found.peak - 1, "here")) == "too large"
    assert found.fits(1000.0)[0]


def test_a_plan_is_kept_on_disk(tmp_path, monkeypatch):
    monkeypatch.setenv("NBHELPERS_SCRATCH", str(tmp_path))
    first = plan("qwen2.5-coder-0.5b", "infer", SHORT)
    assert len(list((tmp_path / "dry-runs").glob("*.json"))) == 1
    assert plan("qwen2.5-coder-0.5b", "infer", SHORT) == first  # `seconds` too: it was read
    plan("qwen2.5-coder-0.5b", "infer", Shapes(text_tokens=33))
    assert len(list((tmp_path / "dry-runs").glob("*.json"))) == 2


def test_the_table_says_what_is_impossible(tmp_path, monkeypatch):
    monkeypatch.setenv("NBHELPERS_SCRATCH", str(tmp_path))
    cells = fits_table(["qwen2.5-coder-0.5b"], ["infer", "attack"], ["auto"], [T4, RTX3090], SHORT)
    verdicts = {(cell.task, cell.target): cell.verdict for cell in cells}
    assert verdicts[("infer", "T4")] == verdicts[("infer", "RTX 3090")] == "fits"
    assert verdicts[("attack", "T4")] == "impossible"


def test_accelerate_counts_the_same_weights():
    config = full_config("qwen2.5-coder-0.5b")
    said = accelerate_estimate(family_of(config), config, "float16")
    assert said.total == pytest.approx(494_032_768 * 2, rel=0.01)
    assert said.training is not None
    assert accelerate_estimate(family_of(config), config, "int4").training is None


def test_a_failed_measurement_says_why():
    config = full_config("qwen2.5-coder-0.5b")
    with pytest.raises(CheckFailed, match="no picture"):
        measure_step(family_of(config), _small(config), "attack", SHORT)
    with pytest.raises(BadInput, match="infer, tune, full, attack"):
        dry_run(family_of(config), config, "teach")


def _small(config):
    config.num_hidden_layers, config.layer_types, config.vocab_size = 1, ["full_attention"], 512
    return config


def test_pictures_too_small_for_the_model_are_bad_input():
    config = full_config("grounding-dino-tiny")  # 900 queries want as many places in the picture
    with pytest.raises(BadInput, match=r"cannot take a step of Shapes.*size=128.*larger size"):
        dry_run(family_of(config), config, "infer", Shapes(size=128, text_tokens=16))


def _huge_pages_allowed(setting):
    """What the kernel says of a fresh process that was told of this setting of huge pages."""
    code = (
        "from pathlib import Path; from nbhelpers.memory.dryrun.child import _plain_pages\n"
        f"_plain_pages(Path({str(setting)!r}))\n"
        "lines = Path('/proc/self/status').read_text().splitlines()\n"
        "print(*[line.split()[1] for line in lines if line.startswith('THP_enabled')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.skipif(
    not Path("/sys/kernel/mm/transparent_hugepage/enabled").is_file(), reason="no huge pages on this system"
)
def test_a_measured_process_takes_no_huge_pages_unasked(tmp_path):
    usual, given = tmp_path / "usual", tmp_path / "given"
    usual.write_text("always [madvise] never")
    given.write_text("[always] madvise never")
    if _huge_pages_allowed(usual) == "":
        pytest.skip("this kernel does not say whether a process takes huge pages")
    assert _huge_pages_allowed(usual) == "1"
    assert _huge_pages_allowed(given) == "0"


@pytest.mark.slow
def test_a_3b_vision_language_model_at_the_figures_known():
    config = full_config("qwen2.5-vl-3b")
    shapes = Shapes(images=0, frames=8, size=224)
    found = dry_run(family_of(config), config, "tune", shapes, dtype="float16", capability=(8, 6))
    assert found.static / GIB == pytest.approx(7.02, abs=0.03)
    assert found.peak / GIB == pytest.approx(7.98, rel=0.06)
    assert found.seconds < 20


@pytest.mark.slow
@pytest.mark.parametrize("name", list(CASES))
def test_predicted_within_a_tenth_of_measured(name):
    found = compare_step(name)
    assert abs(found.error) <= 0.10, found
    assert found.accelerate > 0


@pytest.mark.gpu
@pytest.mark.parametrize(
    ("name", "task"), [("qwen2.5-vl-3b", "tune"), ("qwen2.5-vl-3b", "infer"), ("sam-vit-huge", "attack")]
)
def test_predicted_within_a_tenth_of_reserved(name, task):
    import torch

    from nbhelpers.memory.dryrun import steps
    from nbhelpers.memory.dryrun.adapters import default_lora

    config, shapes = full_config(name), Shapes()
    family = family_of(config)
    predicted = dry_run(family, config, task, shapes, device="cuda")
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    model = family.meta_model(config, predicted.dtype).to_empty(device="cuda")
    model.tie_weights()
    for tensor in (*model.parameters(), *model.buffers()):
        tensor.data.zero_()
    model = default_lora(family)(model) if task == "tune" else model
    steps.prepare(model, task, True)
    dtype = getattr(torch, predicted.dtype)
    inputs = {
        key: value.to("cuda", dtype if key in steps.PIXELS else None)
        if isinstance(value, torch.Tensor)
        else value
        for key, value in family.example_inputs(config, shapes, task != "infer").items()
    }
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained) if trained else None
    for _ in range(2):
        steps.run_step(model, inputs, task, optimizer, shapes.new_tokens, lambda *_: None)
    assert predicted.peak == pytest.approx(torch.cuda.max_memory_reserved(), rel=0.10)
