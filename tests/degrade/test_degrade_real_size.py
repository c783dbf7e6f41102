"""The real models without their weights: roles, number formats, what a T4 takes."""

import pytest

from nbhelpers.degrade import real_size, rung_of, table_row
from nbhelpers.models import RTX3090, T4, chain, find_entry

TARGETS = ("attn_only", "mlp_only", "embed_only")


@pytest.fixture(scope="module")
def seen():
    return rung_of(chain("degrade", "t4"), TARGETS, T4)


def test_a_t4_takes_the_first_model_that_fits_unpacked(seen):
    name, accounts = seen
    assert [one.model for one in accounts] == ["gemma-3-4b", "qwen3-vl-2b"]
    assert name == "qwen3-vl-2b"
    assert [one.fits for one in accounts] == [False, True]
    assert "too much" in accounts[0].why


def test_gemma_3_is_never_damaged_in_float16(seen):
    assert seen[1][0].dtype == "float32"
    assert "overflows in float16" in seen[1][0].reason
    assert real_size("gemma-3-1b", TARGETS, T4).dtype == "float32"
    assert real_size("gemma-3-4b", TARGETS, RTX3090).dtype == "bfloat16"


def test_counts_snapshot_and_times(seen):
    four, two = seen[1]
    assert (four.layers, two.layers) == (34, 28)
    assert (
        four.groups["all_text"] + four.groups["vision"] + four.groups["projector"]
        == find_entry("gemma-3-4b").parameters
    )
    damaged = sum(four.groups[name] for name in TARGETS)
    assert four.snapshot_bytes == 4 * damaged
    assert two.snapshot_bytes == 2 * sum(two.groups[name] for name in TARGETS)
    assert four.restore_s == pytest.approx(4 * damaged / 12e9)
    assert table_row(two)["GB needed"] == pytest.approx(two.needed / 1e9)
    assert four.noise_s > two.noise_s > 1
