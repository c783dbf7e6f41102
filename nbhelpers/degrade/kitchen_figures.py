"""Who is in the kitchen: a man, a child, a cat and a dog."""

from nbhelpers.degrade.canvas import INK, Canvas

_SKIN, _HAIR, _SHIRT, _TROUSERS = (240, 200, 168), (88, 58, 40), (70, 120, 170), (78, 80, 98)
_DRESS, _DOG, _CAT, _WHITE = (240, 176, 60), (168, 112, 62), (120, 116, 118), (250, 250, 250)


def draw_man(canvas: Canvas, x: float, y: float) -> None:
    """He stands with his back to the stove, looks away from it and talks on the phone.

    Args:
        canvas: drawn on.
        x: middle of his body, pixels.
        y: middle of his head, pixels.
    """
    for side in (-14, 16):
        canvas.limb([(x + side, y + 140), (x + side * 1.2, y + 256)], 22, _TROUSERS)
        canvas.oval(x + side * 1.2 + 8, y + 266, 20, 9, INK)
    canvas.polygon([(x - 34, y + 44), (x + 34, y + 44), (x + 32, y + 156), (x - 32, y + 156)], _SHIRT, 2.5)
    canvas.box(x - 9, y + 26, 18, 20, _SKIN)
    canvas.oval(x, y, 30, 35, _SKIN, 2.5)
    canvas.polygon(
        [(x - 31, y - 2), (x - 30, y - 26), (x - 8, y - 42), (x + 20, y - 36), (x + 26, y - 20),
         (x - 12, y - 20)],
        _HAIR, 2,
    )  # fmt: skip
    canvas.oval(x + 16, y - 2, 3, 3.5, INK, 0)  # both eyes to the right: he sees nothing of all this
    canvas.oval(x + 1, y - 2, 3, 3.5, INK, 0)
    canvas.polygon([(x + 26, y), (x + 36, y + 8), (x + 26, y + 10)], _SKIN, 1.6)
    canvas.oval(x + 13, y + 18, 7, 5, (160, 60, 60), 1.4)
    canvas.limb([(x - 30, y + 56), (x - 48, y + 92), (x - 34, y + 20)], 17, _SHIRT)
    canvas.oval(x - 33, y + 12, 10, 10, _SKIN, 2)
    canvas.limb([(x - 34, y + 20), (x - 28, y - 12)], 8, (50, 50, 60))  # the phone
    canvas.limb([(x + 30, y + 56), (x + 52, y + 90), (x + 76, y + 70)], 17, _SHIRT)
    canvas.oval(x + 80, y + 66, 10, 10, _SKIN, 2)


def draw_child(canvas: Canvas, x: float, y: float) -> None:
    """A small child that pulls at the tablecloth with both hands, seen from the side.

    Args:
        canvas: drawn on.
        x: middle of the head, pixels.
        y: middle of the head, pixels.
    """
    for step in (-10, 10):
        canvas.limb([(x - 16 + step, y + 84), (x - 20 + step * 1.4, y + 112)], 13, _SKIN)
        canvas.oval(x - 14 + step * 1.4, y + 118, 13, 6, (200, 60, 60))
    canvas.polygon([(x - 20, y + 28), (x + 10, y + 28), (x + 14, y + 90), (x - 42, y + 90)], _DRESS, 2.5)
    canvas.oval(x, y, 29, 30, _SKIN, 2.5)
    canvas.polygon(
        [(x - 30, y + 12), (x - 30, y - 16), (x - 4, y - 36), (x + 24, y - 20), (x - 8, y - 12),
         (x - 18, y + 10)],
        (222, 150, 60), 2,
    )  # fmt: skip
    canvas.oval(x - 34, y - 4, 9, 12, (222, 150, 60), 2)
    canvas.oval(x + 14, y - 2, 3, 4, INK, 0)
    canvas.stroke([(x + 10, y + 14), (x + 17, y + 16), (x + 22, y + 11)], 2)
    for shift in (0, 12):
        canvas.limb([(x - 4, y + 48 + shift), (x + 36, y + 18 + shift)], 11, _SKIN)
    canvas.oval(x + 39, y + 22, 8, 11, _SKIN, 2)


def draw_cat(canvas: Canvas, x: float, y: float) -> None:
    """A sitting cat with one paw at what it has knocked over, to its right.

    Args:
        canvas: drawn on.
        x: middle of the body, pixels.
        y: middle of the body, pixels.
    """
    canvas.stroke([(x - 20, y + 20), (x - 34, y + 6), (x - 30, y - 16), (x - 38, y - 24)], 7, _CAT)
    canvas.oval(x, y + 6, 21, 24, _CAT, 2)
    for side in (-1, 1):
        canvas.polygon(
            [(x + 10 + side * 15, y - 28), (x + 10 + side * 13, y - 46), (x + 10 + side * 3, y - 36)], _CAT, 2
        )
    canvas.oval(x + 10, y - 22, 18, 16, _CAT, 2)
    for side in (-6, 7):
        canvas.oval(x + 11 + side, y - 24, 3.4, 4, (220, 220, 90), 1)
    canvas.oval(x + 12, y - 16, 2.4, 2, (220, 130, 130), 0)
    canvas.stroke([(x + 16, y - 15), (x + 34, y - 19)], 1)
    canvas.stroke([(x + 16, y - 13), (x + 34, y - 11)], 1)
    canvas.limb([(x + 14, y + 10), (x + 30, y + 12)], 8, _CAT)


def draw_dog(canvas: Canvas, x: float, y: float) -> None:
    """A dog on the floor, its mouth at the sausages to its right.

    Args:
        canvas: drawn on.
        x: middle of the body, pixels.
        y: middle of the body, pixels.
    """
    canvas.stroke([(x - 48, y - 8), (x - 68, y - 30), (x - 62, y - 44)], 8, _DOG)
    for shift in (-38, -22, 22, 38):
        canvas.limb([(x + shift, y + 12), (x + shift, y + 44)], 11, _DOG)
    canvas.oval(x, y, 54, 25, _DOG, 2.5)
    canvas.oval(x + 58, y - 8, 25, 22, _DOG, 2.5)
    canvas.oval(x + 78, y + 4, 16, 11, (214, 170, 120), 2)
    canvas.oval(x + 92, y + 0, 5, 4, INK, 0)
    canvas.oval(x + 40, y - 10, 9, 20, (120, 76, 40), 2, 14)
    canvas.oval(x + 64, y - 14, 3, 3.6, INK, 0)
    canvas.oval(x - 10, y - 6, 16, 11, (120, 76, 40), 0)
    canvas.stroke([(x + 30, y + 10), (x + 42, y + 16)], 4, (200, 52, 44))  # the collar
    canvas.oval(x + 40, y + 20, 4, 4, _WHITE, 1.2)
