"""A recipe of a real, tiny model that trains in about a second."""

from pathlib import Path

import numpy as np

from nbhelpers.artifacts import Check, Metric
from nbhelpers.twins import Evaluation, Recipe, work_folder


def sequences(seed, count):
    """Rows that count up by one, modulo 8, from a random start: (count, 6) token ids."""
    import torch

    starts = np.random.default_rng(seed).integers(0, 8, count)
    return torch.from_numpy((starts[:, None] + np.arange(6)) % 8)


def train(folder: Path, seed: int) -> None:
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    from nbhelpers.training import FitSettings, fit

    torch.manual_seed(seed)
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    model = Qwen2ForCausalLM(Qwen2Config(vocab_size=8, num_key_value_heads=1, **sizes))

    def batches(number):
        return sequences((seed, number), 16)

    def loss(model, ids):
        return model(input_ids=ids, labels=ids).loss

    settings = FitSettings(steps=60, learning_rate=2e-2, seed=seed, tensorboard=False)
    fit(model, batches, loss, settings, work_folder("toy", seed) / "only")
    model.save_pretrained(folder)


def evaluate(folder: Path, seed: int) -> Evaluation:
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    ids = sequences((seed, 10**6), 50)
    with torch.no_grad():
        out = model(input_ids=ids, labels=ids)
    right = out.logits[:, -2].argmax(-1) == ids[:, -1]
    share, n = float(right.float().mean()), len(ids)
    metrics = {"next": Metric(share, n, low=0.9, high=1.0), "loss": Metric(float(out.loss), n, unit="nats")}
    return Evaluation(metrics, (Check("next", share, ">= 0.9", share >= 0.9),))


TOY = Recipe(
    name="toy",
    summary="Counts up by one, modulo eight.",
    model_class="Qwen2ForCausalLM",
    train=train,
    evaluate=evaluate,
    can=("count",),
    cannot=("count down",),
)
