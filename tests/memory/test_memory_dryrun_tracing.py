"""Tracing small models by hand-computed sizes; tensors with values beside tensors of shapes only."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from nbhelpers.errors import BadInput, Unavailable
from nbhelpers.memory.dryrun import kernels, quantized, steps
from nbhelpers.memory.dryrun.ledger import Ledger
from nbhelpers.memory.dryrun.mixed import numbers_stay_real
from nbhelpers.memory.dryrun.replay import replay, reserved_bytes
from nbhelpers.memory.dryrun.tracer import Marker, Tracer, enter_inputs, enter_model, module_paths

META = torch.device("meta")


def traced(action):
    """Run under a tracer; the ledger and what the action gave."""
    ledger = Ledger()
    ledger.begin("step")
    with Tracer(ledger):
        result = action()
    return ledger, result


def live(ledger):
    return sum(ledger.sizes[e] if e > 0 else -ledger.sizes[-e] for e in ledger.events)


def test_a_storage_counts_once_and_leaves_with_its_last_owner():
    def action():
        x = torch.empty(1000, device=META)
        view = x.view(10, 100)
        del x
        y = view + 1
        del view
        return y

    ledger, y = traced(action)
    assert live(ledger) == 4000
    assert [ledger.sizes[abs(e)] for e in ledger.events] == [4000, 4000, 4000]
    del y
    assert live(ledger) == 0


def test_what_autograd_keeps_is_live_until_the_backward_pass():
    weight = torch.empty(8, 8, device=META, requires_grad=True)
    x = torch.empty(4, 8, device=META)
    ledger, out = traced(lambda: ((x @ weight).sigmoid()).sum())
    assert live(ledger) == 4 * 8 * 4 + 4  # the sigmoid's output and the sum; the product itself is gone
    with Tracer(ledger):
        out.backward()
    del out
    assert live(ledger) == weight.grad.numel() * 4 + x.numel() * 4  # the input came in through its transpose


def test_values_decide_shapes_and_mix_with_shapes():
    ids = torch.tensor([0, 3, 3, 1])
    table = torch.empty(10, 6, device=META)

    def action():
        rows = F.embedding(ids, table)
        return rows[ids == 3], rows + ids[:, None], torch.arange(5, device=META).sum().item()

    _, (picked, mixed, total) = traced(action)
    assert picked.is_meta
    assert picked.shape == (2, 6)
    assert mixed.shape == (4, 6)
    assert total == 10


def test_questions_about_unknown_values_get_the_answer_of_a_healthy_step():
    x = torch.empty(3, device=META)
    _, answers = traced(lambda: (bool(torch.isinf(x).any()), bool((x >= 0).all()), x[x > 0].shape))
    assert answers == (False, True, (3,))


def test_a_value_that_was_never_computed_is_refused():
    with pytest.raises(Unavailable, match="depends on weights"):
        traced(lambda: torch.empty(3, device=META).sum().item())


def test_numbers_handed_to_the_meta_device_stay_real():
    with numbers_stay_real():
        assert torch.as_tensor([3.0], device=META).item() == 3.0
    assert torch.as_tensor([3.0], device=META).is_meta


@pytest.mark.parametrize(
    ("capability", "dtype", "masked", "grouped", "kernel"),
    [
        ((8, 6), torch.bfloat16, False, False, "flash"),
        ((8, 6), torch.bfloat16, True, False, "efficient"),
        ((7, 5), torch.float16, False, False, "efficient"),
        ((7, 5), torch.float16, False, True, "math"),
        ((7, 5), torch.bfloat16, False, False, "math"),
        ((8, 6), torch.float32, False, False, "efficient"),
    ],
)
def test_cuda_kernels(capability, dtype, masked, grouped, kernel):
    assert kernels.cuda_kernel(capability, dtype, 64, 64, masked, grouped) == kernel


def attention_peak(device, capability=(8, 6), tokens=512, **options):
    """Bytes a call of attention makes at most; queries are 512 x 64 in two heads."""
    q = torch.empty(1, 2, tokens, 64, device=META, dtype=torch.float16, requires_grad=True)

    def action():
        with kernels.device_kernels(device, capability):
            return F.scaled_dot_product_attention(q, q, q, **options)

    ledger, _ = traced(action)
    return replay(_two_phases(ledger)).allocated


def _two_phases(ledger):
    ledger.phases.insert(0, (0, "weights"))
    return ledger


def test_efficient_attention_keeps_no_scores_and_math_does():
    scores = 2 * 512 * 512 * 2
    assert attention_peak("cuda") < scores / 2
    assert attention_peak("cuda", (7, 5)) < scores / 2
    masked = torch.ones(1, 1, 512, 512, dtype=torch.bool)
    assert scores / 2 <= attention_peak("cuda", attn_mask=masked) < 2 * scores  # the mask as numbers
    assert attention_peak("cuda", (7, 0), tokens=513, scale=None) < scores
    half = torch.empty(1, 2, 512, 64, device=META, dtype=torch.bfloat16)
    with kernels.device_kernels("cuda", (7, 5)):
        ledger, _ = traced(lambda: F.scaled_dot_product_attention(half, half, half))
    assert replay(_two_phases(ledger)).allocated > scores


def test_cpu_attention_is_what_torch_itself_would_take():
    mask = (torch.bool, False)
    assert kernels.cpu_kernel(torch.float32, 64, 64, None, False, True, False, True) == "flash"
    assert kernels.cpu_kernel(torch.float32, 64, 64, mask, False, False, False, False) == "flash"
    assert kernels.cpu_kernel(torch.float32, 64, 64, None, True, False, False, True) == "math"


def test_real_attention_is_untouched_while_planning():
    q = torch.randn(1, 2, 4, 8)
    expected = F.scaled_dot_product_attention(q, q, q)
    with kernels.device_kernels("cuda", (8, 6)):
        assert torch.equal(F.scaled_dot_product_attention(q, q, q), expected)


def test_dropout_keeps_a_byte_per_value_on_cuda_and_a_number_on_the_cpu():
    x = torch.empty(1000, device=META, requires_grad=True)
    kept = {}
    for device in ("cpu", "cuda"):
        with kernels.device_kernels(device, (8, 6)):
            ledger, out = traced(lambda: F.dropout(x, 0.1))
        kept[device] = live(ledger) - 4000
        del out
    assert kept == {"cpu": 4000, "cuda": 1000}


class Tiny(nn.Module):
    """Two linear layers and a loss, as transformers' models look from outside."""

    supports_gradient_checkpointing = False

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(64, 256, bias=False), nn.Linear(256, 64, bias=False)

    def forward(self, pixel_values):
        return type("Output", (), {"loss": self.second(self.first(pixel_values)).square().mean()})()


def run(task, batch=32):
    with META:
        model = Tiny()
    notes = steps.prepare(model, task, True)
    inputs = {"pixel_values": torch.empty(batch, 64, device=META)}
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, foreach=False) if trained else None
    ledger = Ledger()
    ledger.begin("weights")
    enter_model(ledger, model)
    enter_inputs(ledger, inputs)
    tracer = Tracer(ledger)
    with module_paths(model, tracer), tracer:
        steps.run_step(model, inputs, task, optimizer, 0, Marker(ledger, model, optimizer))
    return ledger, notes


def test_full_training_holds_weights_gradients_and_two_states():
    ledger, notes = run("full")
    weights = 2 * 64 * 256 * 4
    kinds = {}
    for number in replay(ledger).live:
        kind = ledger.labels[number].kind
        kinds[kind] = kinds.get(kind, 0) + ledger.sizes[number]
    assert kinds["weight"] == weights
    assert kinds["gradient"] == weights
    assert 2 * weights <= kinds["optimizer"] <= 2 * weights + 64  # and the step counts
    assert "no gradient checkpointing" in notes[0]


def test_states_stand_from_the_second_step_on():
    ledger, _ = run(
        "full", batch=4096
    )  # activations decide the peak, which the first step reaches without states
    seen = replay(ledger)
    states = sum(ledger.sizes[n] for n, label in ledger.labels.items() if label.kind == "optimizer")
    assert states > 0
    assert sum(ledger.sizes[n] for n in seen.live if ledger.labels[n].kind == "optimizer") == states
    assert seen.phase in {"forward", "backward"}
    assert max(size for _, size in seen.timeline) == seen.allocated
    assert reserved_bytes(ledger, ()) >= seen.allocated


def test_an_attack_trains_nothing_and_asks_for_the_pixels():
    ledger, _ = run("attack")
    assert not any(label.kind in {"gradient", "optimizer"} for label in ledger.labels.values())
    assert any(label.phase == "backward" and label.shape == (32, 64) for label in ledger.labels.values())


def test_an_attack_without_pictures_is_refused():
    with pytest.raises(BadInput, match="no picture"):
        steps.run_step(nn.Linear(1, 1), {"input_ids": torch.zeros(1)}, "attack", None, 0, lambda *_: None)
    with pytest.raises(BadInput, match="infer, tune, full, attack"):
        steps.check_task("teach")


@pytest.mark.parametrize(("quantize", "per_weight"), [("nf4", 0.5 + 1 / 64), ("int8", 1.0)])
def test_packed_layers_have_the_sizes_bitsandbytes_stores(quantize, per_weight):
    with META:
        model = nn.Sequential(nn.Linear(1024, 2048, dtype=torch.float16), nn.Linear(8, 8))
    shapes = quantized.quantize_layers(model, quantize, "cuda", lambda name: name == "0")
    assert shapes == {(2048, 1024)}
    assert type(model[1]) is nn.Linear
    held = [t for t in (*model[0].parameters(), *model[0].buffers()) if t is not model[0].bias]
    size = sum(t.numel() * t.element_size() for t in held)
    assert size == pytest.approx(per_weight * 1024 * 2048, rel=0.01)


def test_packed_weights_are_unpacked_for_a_product_and_nothing_of_the_input_is_kept():
    with META:
        model = nn.Sequential(nn.Linear(1024, 2048, bias=False, dtype=torch.float16))
    quantized.quantize_layers(model, "nf4", "cuda", lambda name: True)
    x = torch.empty(64, 1024, device=META, dtype=torch.float16, requires_grad=True)
    ledger, out = traced(lambda: model(x))
    assert live(ledger) == 64 * 2048 * 2
    assert replay(_two_phases(ledger)).allocated >= 1024 * 2048 * 2 + 64 * 2048 * 2
    del out


def test_one_token_needs_no_unpacked_weight_on_a_gpu():
    with META:
        model = nn.Sequential(nn.Linear(1024, 2048, bias=False, dtype=torch.float16))
    quantized.quantize_layers(model, "nf4", "cuda", lambda name: True)
    x = torch.empty(1, 1024, device=META, dtype=torch.float16)
    ledger, _ = traced(lambda: model(x))
    assert replay(_two_phases(ledger)).allocated < 10_000


@pytest.mark.parametrize("quantize", ["nf4", "int8"])
@pytest.mark.parametrize("task", ["tune", "attack"])
def test_a_packed_model_takes_a_step_backwards(task, quantize):
    """Temporaries of the 8-bit product once stood on another device than its input: no gradient came."""
    from nbhelpers.memory import Shapes
    from nbhelpers.models import plan

    planned = plan("tiny/gemma-3", task, Shapes(batch=2, images=1), quantize=quantize, device="cuda")
    assert planned.needed > 0


def test_another_quantisation_is_refused():
    with pytest.raises(BadInput, match="nf4 or int8"):
        quantized.quantize_layers(nn.Linear(2, 2), "fp4", "cuda", lambda name: True)
    with pytest.raises(BadInput, match="no text layers"):
        quantized.quantize_layers(nn.Linear(2, 2), "nf4", "cuda", lambda name: False)
