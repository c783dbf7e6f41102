"""The twin's architecture: stock Qwen2, small numbers."""

from typing import TYPE_CHECKING

from nbhelpers.twins.qwen2_coder.tokenizer import CONTEXT

if TYPE_CHECKING:
    from transformers import Qwen2Config, Qwen2ForCausalLM, Qwen2Tokenizer


def build_config(tokenizer: "Qwen2Tokenizer") -> "Qwen2Config":
    """Four layers of width 160 over the tokenizer's vocabulary, 512 positions."""
    from transformers import Qwen2Config

    return Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=160,
        intermediate_size=384,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT,
        max_window_layers=4,
        # The class's own 0.02 suits widths in the thousands; at 160 it starts too flat.
        initializer_range=0.06,
        rope_parameters={"rope_type": "default", "rope_theta": 10_000.0},
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
    )


def build_model(tokenizer: "Qwen2Tokenizer", seed: int) -> "Qwen2ForCausalLM":
    """A freshly drawn Qwen2ForCausalLM in float32; the same seed gives the same weights."""
    import torch
    from transformers import Qwen2ForCausalLM

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Qwen2ForCausalLM(build_config(tokenizer))
    model.generation_config.do_sample = False
    return model
