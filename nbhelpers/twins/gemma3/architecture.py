"""The very classes of Gemma-3, 64 px and 1.2 million parameters: configuration, model and processor."""

from typing import TYPE_CHECKING, Any

from nbhelpers.twins.stills.tower import PICTURE_PX, vision_config
from nbhelpers.twins.vocabulary import GEMMA, gemma_tokenizer

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import Gemma3ForConditionalGeneration, Gemma3Processor

CELLS = 4  # a picture becomes CELLS x CELLS tokens
TEXT = 128

PAD, EOS, BOS, UNK = GEMMA
START, END = "<start_of_turn>", "<end_of_turn>"
BEGIN_IMAGE, END_IMAGE, IMAGE = "<start_of_image>", "<end_of_image>", "<image_soft_token>"
SPECIAL = (PAD, EOS, BOS, UNK, START, END, BEGIN_IMAGE, END_IMAGE, IMAGE)

# Turns as Gemma-3 writes them: a system message is put before the first question.
CHAT_TEMPLATE = (
    "{{ bos_token }}"
    "{%- if messages[0]['role'] == 'system' -%}"
    "{%- set system = messages[0]['content'] if messages[0]['content'] is string"
    " else messages[0]['content'][0]['text'] -%}"
    "{%- set prefix, turns = system + '\n\n', messages[1:] -%}"
    "{%- else -%}{%- set prefix, turns = '', messages -%}{%- endif -%}"
    "{%- for message in turns -%}"
    "{{ '<start_of_turn>' + ('model' if message['role'] == 'assistant' else message['role']) + '\n' }}"
    "{{- prefix if loop.first else '' -}}"
    "{%- if message['content'] is string -%}{{ message['content'] | trim }}"
    "{%- else -%}{%- for part in message['content'] -%}"
    "{{ '<start_of_image>' if part['type'] == 'image' else part['text'] | trim }}"
    "{%- endfor -%}{%- endif -%}"
    "{{ '<end_of_turn>\n' }}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<start_of_turn>model\n' }}{%- endif -%}"
)


def make_processor(vocabulary: "Tokenizer") -> "Gemma3Processor":
    """The stock processor around a vocabulary that holds `SPECIAL` with ids 0 to 8."""
    from tokenizers.processors import TemplateProcessing
    from transformers import Gemma3ImageProcessor, Gemma3Processor

    # Gemma begins every text with <bos>; without it a language model of this kind is lost.
    vocabulary.post_processor = TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A {BOS} $B", special_tokens=[(BOS, SPECIAL.index(BOS))]
    )
    tokenizer = gemma_tokenizer(
        vocabulary,
        512,
        additional_special_tokens=[START, END],
        extra_special_tokens={"boi_token": BEGIN_IMAGE, "eoi_token": END_IMAGE, "image_token": IMAGE},
    )
    side = {"height": PICTURE_PX, "width": PICTURE_PX}
    images = Gemma3ImageProcessor(size=side, image_mean=[0.5] * 3, image_std=[0.5] * 3)
    return Gemma3Processor(images, tokenizer, chat_template=CHAT_TEMPLATE, image_seq_length=CELLS**2)


def _text_config(vocabulary: int) -> dict[str, Any]:
    return {
        "vocab_size": vocabulary,
        "hidden_size": TEXT,
        "intermediate_size": 384,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 32,
        "query_pre_attn_scalar": 32,
        "max_position_embeddings": 512,
        # Shorter than a picture with its question: the windowed masks matter, the full layers carry across.
        "sliding_window": 32,
        "layer_types": ["sliding_attention", "full_attention"] * 2,
        "initializer_range": 0.05,
        "pad_token_id": SPECIAL.index(PAD),
        "eos_token_id": SPECIAL.index(EOS),
        "bos_token_id": SPECIAL.index(BOS),
    }


def _config(vocabulary: int) -> dict[str, Any]:
    return {
        "text_config": _text_config(vocabulary),
        "vision_config": vision_config(),
        "mm_tokens_per_image": CELLS**2,
        "boi_token_index": SPECIAL.index(BEGIN_IMAGE),
        "eoi_token_index": SPECIAL.index(END_IMAGE),
        "image_token_index": SPECIAL.index(IMAGE),
        "eos_token_id": [SPECIAL.index(EOS), SPECIAL.index(END)],
    }


def make_model(vocabulary: int, seed: int) -> "Gemma3ForConditionalGeneration":
    """A new model in float32 on the CPU, its weights drawn from `seed`."""
    import torch
    from transformers import Gemma3Config, Gemma3ForConditionalGeneration, GenerationConfig

    from nbhelpers.twins.stills.start import start_seeing

    config = Gemma3Config(**_config(vocabulary))
    torch.manual_seed(seed)
    model = Gemma3ForConditionalGeneration(config)
    # The class starts its projector at zero, where pictures would say nothing at first.
    torch.nn.init.normal_(model.model.multi_modal_projector.mm_input_projection_weight, std=0.06)
    start_seeing(model.model.vision_tower)
    model.generation_config = GenerationConfig(
        bos_token_id=SPECIAL.index(BOS),
        eos_token_id=[SPECIAL.index(EOS), SPECIAL.index(END)],
        pad_token_id=SPECIAL.index(PAD),
        do_sample=False,
    )
    return model
