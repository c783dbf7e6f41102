"""Putting a snapshot back: `nbhelpers.models.Snapshot.restore` beside a plain copy of the same bytes.

    python benchmarks/restore_snapshot.py [--gib 1.5] [--repeats 9] [--seed 0] [--json]

A causal language model of the Qwen2 class with random bfloat16 weights and tied embeddings is made, of about
that size. Per repeat, one after the other: the weights are spoilt, restored (ours), spoilt, copied back with
one `memmove` per tensor (plain), so that both write the same pages, all touched before. The order changes
with every repeat. Printed: seconds and GiB/s of each, the median of the ratios with its range, and whether
every byte came back both times.
"""

import argparse
import ctypes
import json
import statistics
import time
from typing import Any

import torch

HIDDEN, VOCABULARY = 2048, 32_000


def draw(gib: float, seed: int) -> Any:
    """A model of about so many GiB; 0.12 GiB of it are embeddings, the rest layers of 85 MiB."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(seed)
    wanted = gib * 2**30 / 2 - VOCABULARY * HIDDEN
    per_layer = 2 * HIDDEN**2 + 2 * HIDDEN * HIDDEN // 4 + 3 * HIDDEN * 3 * HIDDEN
    config = Qwen2Config(
        vocab_size=VOCABULARY, hidden_size=HIDDEN, intermediate_size=3 * HIDDEN, num_attention_heads=16,
        num_key_value_heads=4, num_hidden_layers=max(1, round(wanted / per_layer)), tie_word_embeddings=True,
    )  # fmt: skip
    with torch.device("meta"):
        model = Qwen2ForCausalLM(config).to(torch.bfloat16)
    model = model.to_empty(device="cpu")
    model.tie_weights()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_()
    return model


@torch.no_grad()
def spoil(model: Any) -> None:
    for parameter in model.parameters():
        parameter.view(torch.uint8).bitwise_not_()


def plain_copy(pairs: list[tuple[torch.Tensor, torch.Tensor]]) -> float:
    began = time.perf_counter()
    for target, source in pairs:
        ctypes.memmove(target.data_ptr(), source.data_ptr(), target.numel() * target.element_size())
    return time.perf_counter() - began


def equal(pairs: list[tuple[torch.Tensor, torch.Tensor]]) -> bool:
    return all(torch.equal(one.view(torch.uint8), other.view(torch.uint8)) for one, other in pairs)


def measure(model: Any, repeats: int) -> dict[str, Any]:
    from nbhelpers.models import Snapshot

    kept = Snapshot(model)
    taking_s = kept.seconds
    pairs = [(tensor, tensor.clone()) for tensor in (p.detach() for p in model.parameters())]

    def ours() -> float:
        kept.restore()
        return kept.seconds

    seconds: dict[str, list[float]] = {"ours": [], "plain": []}
    exact = {"ours": True, "plain": True}
    ways = [("ours", ours), ("plain", lambda: plain_copy(pairs))]
    for _ in range(repeats):
        for name, way in ways:
            spoil(model)
            seconds[name].append(way())
            exact[name] &= equal(pairs)
        ways.reverse()
    ratios = [one / other for one, other in zip(seconds["ours"], seconds["plain"], strict=True)]
    return {
        "bytes": kept.nbytes,
        "tensors": len(kept.names),
        "taking_s": taking_s,
        "ours_s": statistics.median(seconds["ours"]),
        "plain_s": statistics.median(seconds["plain"]),
        "ratio": statistics.median(ratios),
        "ratio_low": min(ratios),
        "ratio_high": max(ratios),
        "every_byte_back": exact,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gib", type=float, default=1.5)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    found = measure(draw(options.gib, options.seed), options.repeats)
    if options.json:
        print(json.dumps(found))
        return
    size = found["bytes"] / 2**30
    print(f"{size:.2f} GiB in {found['tensors']} tensors, {options.repeats} repeats")
    for name in ("ours", "plain"):
        taken, back = (
            found[f"{name}_s"],
            "every byte back" if found["every_byte_back"][name] else "BYTES DIFFER",
        )
        print(f"{name:6} {taken:7.3f} s {size / taken:6.2f} GiB/s   {back}")
    print(f"ratio  {found['ratio']:7.3f}   ({found['ratio_low']:.3f} to {found['ratio_high']:.3f})")
    print(f"taking the snapshot, fresh pages: {found['taking_s']:.2f} s")


if __name__ == "__main__":
    main()
