"""The twin `tiny/paligemma`: PaliGemma's own classes, trained to answer about drawn still pictures."""
