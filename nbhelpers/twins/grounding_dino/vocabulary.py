"""The twin's own vocabulary, and the stock tokenizer and processor over it.

Grounding DINO finds the phrases of a prompt by token ids that are fixed in the model's code, so an own
vocabulary has to put the same tokens on the same ids as BERT's: padding 0, [CLS] 101, [SEP] 102, "." 1012 and
"?" 1029 (`SPECIAL_TOKENS` in transformers' modeling_grounding_dino.py).
"""

import string
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import BertTokenizer, GroundingDinoProcessor

VOCABULARY_SIZE = 1200
SIDE_PX = 128
MAX_TOKENS = 64
FIXED_IDS = {"[PAD]": 0, "[UNK]": 100, "[CLS]": 101, "[SEP]": 102, "[MASK]": 103, ".": 1012, "?": 1029}
# Whole words: what warehouse prompts are made of. Any other word is spelt from its letters.
_WORDS = (
    "box pallet barrel cone forklift shelf ladder jack truck crate carton tote drum bin cart trolley "
    "rack beam board sack bag roll reel tank pipe tool bucket bottle can door dock gate wall floor "
    "sign post rail lamp fence mat belt conveyor scanner label tape robot person worker man woman "
    "hand head helmet vest glove boot chair table desk phone screen camera car van bus bicycle wheel "
    "fork lift mast seat handle lid edge a an the of on in at to by with and or no not under over "
    "near behind left right front back top bottom red green blue yellow orange purple brown black "
    "white grey gray pink dark light bright pale silver wood wooden metal plastic steel paper "
    "cardboard glass rubber small large big little tall short long wide narrow round square open "
    "closed full empty stacked single object thing item goods product stock load warehouse storage "
    "industrial safety traffic hand one two three"
)
WORDS = tuple(_WORDS.split())


def vocabulary() -> dict[str, int]:
    """Token -> id for all 1,200 ids: the fixed ones, characters, pieces, words, and unused ids in between."""
    characters = [*string.ascii_lowercase, *string.digits, *(c for c in string.punctuation if c not in ".?")]
    pieces = [f"##{c}" for c in (*string.ascii_lowercase, *string.digits)]
    tokens = [token for token in dict.fromkeys([*characters, *pieces, *WORDS]) if token not in FIXED_IDS]
    free = (number for number in range(104, VOCABULARY_SIZE) if number not in FIXED_IDS.values())
    known = FIXED_IDS | dict(zip(tokens, free, strict=False))
    unused = sorted(set(range(VOCABULARY_SIZE)) - set(known.values()))
    return known | {f"[unused{number}]": number for number in unused}


def build_tokenizer() -> "BertTokenizer":
    """A BERT tokenizer over `vocabulary()`, in lower case."""
    from transformers import BertTokenizer

    return BertTokenizer(vocab=vocabulary(), do_lower_case=True, model_max_length=MAX_TOKENS)


def build_processor() -> "GroundingDinoProcessor":
    """The stock processor: longer side to 128 px, aspect kept; text in lower case."""
    from transformers import GroundingDinoImageProcessor, GroundingDinoProcessor

    size = {"shortest_edge": SIDE_PX, "longest_edge": SIDE_PX}
    return GroundingDinoProcessor(GroundingDinoImageProcessor(size=size), build_tokenizer())
