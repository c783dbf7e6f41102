"""One colour-blind-safe palette for every figure of the house."""

# Okabe and Ito (2008), then Paul Tol's "muted" scheme: both hold up under common colour-vision deficiencies.
# The order is fixed: class index i has colour PALETTE[i % 12] in every figure of the house.
PALETTE: tuple[str, ...] = (
    *("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00"),
    *("#F0E442", "#882255", "#44AA99", "#332288", "#999933", "#117733"),
)


def class_color(index: int) -> tuple[int, int, int]:
    """Colour of a class as (red, green, blue), 0..255; the same for an index everywhere."""
    value = PALETTE[index % len(PALETTE)]
    return int(value[1:3], 16), int(value[3:5], 16), int(value[5:7], 16)


def text_color(index: int) -> str:
    """Black or white, whichever reads better on the colour of class `index` (relative luminance, WCAG 2)."""
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in (v / 255 for v in class_color(index))
    ]
    return "#000000" if 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] > 0.18 else "#FFFFFF"
