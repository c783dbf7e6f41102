"""Name patterns that several families share: a decoder of text, a SigLIP tower, and LoRA's places in them."""

Patterns = dict[str, tuple[str, ...]]

_WEIGHT = r"\.(weight|bias)"
_TEXT_LINEARS = {
    "text.attention": r"layers\.\d+\.self_attn\.[qkvo]_proj",
    "text.mlp": r"layers\.\d+\.mlp\.(gate|up|down)_proj",
}
_SIGLIP_LINEARS = {
    "vision.attention": r"encoder\.layers\.\d+\.self_attn\.([qkv]_proj|out_proj)",
    "vision.mlp": r"encoder\.layers\.\d+\.mlp\.fc[12]",
}


def with_weights(linears: Patterns) -> Patterns:
    """Patterns of the weights and biases of modules, from patterns of the modules."""
    return {role: tuple(f"(?:{p}){_WEIGHT}" for p in patterns) for role, patterns in linears.items()}


def text_linears(prefix: str) -> Patterns:
    """Linear layers of a Llama-like decoder.

    Args:
        prefix: regular expression of what stands before `layers.0` in the names.
    """
    return {role: (prefix + pattern,) for role, pattern in _TEXT_LINEARS.items()}


def text_roles(prefix: str) -> Patterns:
    """Parameters of a Llama-like decoder; the head is one of its own only where it is not tied."""
    norms = r"(norm|layers\.\d+\.\w+_layernorm|layers\.\d+\.self_attn\.[qk]_norm)\.weight"
    return {
        "text.embedding": (prefix + r"embed_tokens\.weight",),
        **with_weights(text_linears(prefix)),
        "text.norm": (prefix + norms,),
        "text.head": (r"lm_head\.weight",),
    }


def siglip_linears(prefix: str) -> Patterns:
    """Linear layers of a SigLIP image tower (Zhai et al. 2023)."""
    return {role: (prefix + pattern,) for role, pattern in _SIGLIP_LINEARS.items()}


def siglip_roles(prefix: str) -> Patterns:
    """Parameters of a SigLIP tower; `vision.head` is its pooling, which vision-language models leave out."""
    return {
        "vision.embedding": (prefix + r"embeddings\.(patch|position)_embedding" + _WEIGHT,),
        **with_weights(siglip_linears(prefix)),
        "vision.norm": (prefix + r"(encoder\.layers\.\d+\.layer_norm[12]|post_layernorm)" + _WEIGHT,),
        "vision.head": (prefix + r"head\..+",),
    }
