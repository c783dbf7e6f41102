"""A kitchen where everything goes wrong at once: the picture that is to be described.

It stands in for the clinical pictures of such tasks, which are not free. Its information units are in
`prompts/cookie_theft_it.yaml`; every one of them is drawn here.
"""

import numpy as np

from nbhelpers.degrade.canvas import INK, Canvas
from nbhelpers.degrade.kitchen_figures import draw_cat, draw_child, draw_dog, draw_man

WIDTH, HEIGHT = 768, 576
_WALL, _FLOOR, _WOOD, _STEEL = (238, 228, 205), (205, 180, 150), (176, 122, 72), (188, 194, 200)
_WHITE, _SKY, _RAIN, _RED, _MILK = (
    (250, 250, 250),
    (150, 168, 186),
    (92, 118, 160),
    (200, 52, 44),
    (252, 252, 255),
)


def draw_kitchen() -> np.ndarray:
    """The picture, the same every time: (576, 768, 3) uint8 RGB."""
    canvas = Canvas(WIDTH, HEIGHT, _WALL)
    _room(canvas)
    _window(canvas)
    _clock(canvas)
    _stove(canvas)
    _shelf(canvas)
    _fridge(canvas)
    draw_man(canvas, 238, 196)
    _table(canvas)
    draw_child(canvas, 412, 404)
    _bag(canvas)
    draw_dog(canvas, 118, 500)
    _broken_plate(canvas)
    return canvas.image()


def _room(canvas: Canvas) -> None:
    canvas.box(0, 400, WIDTH, HEIGHT - 400, _FLOOR, 0)
    canvas.stroke([(0, 400), (WIDTH, 400)], 2.5)
    for x in range(-200, WIDTH + 200, 90):  # boards of the floor, towards one vanishing point
        canvas.stroke([(384 + (x - 384) * 0.72, 401), (x, HEIGHT)], 0.8, (178, 152, 122))


def _window(canvas: Canvas) -> None:
    """Rain outside, and washing that hangs in it."""
    canvas.box(318, 48, 190, 150, _WHITE, 2.5)
    canvas.box(328, 58, 170, 130, _SKY)
    for row in range(6):
        for column in range(9):
            x, y = 336 + column * 19 + 6 * (row % 2), 62 + row * 21
            canvas.stroke([(x, y), (x - 4, y + 11)], 1.4, _RAIN)
    canvas.stroke([(328, 92), (413, 98), (498, 92)], 1.5)
    for x, color in ((350, _RED), (396, (238, 200, 70)), (442, (90, 150, 90))):
        canvas.polygon(
            [(x - 6, 98), (x, 94), (x + 24, 95), (x + 30, 99), (x + 24, 110), (x + 20, 108), (x + 20, 138),
             (x + 4, 138), (x + 4, 108), (x, 110)], color, 1.4,
        )  # fmt: skip
        canvas.stroke([(x + 8, 142), (x + 8, 148)], 1.6, _RAIN)  # it drips
        canvas.stroke([(x + 16, 141), (x + 16, 150)], 1.6, _RAIN)
    canvas.stroke([(413, 150), (413, 188)], 5, _WHITE)
    canvas.stroke([(413, 58), (413, 92)], 5, _WHITE)


def _clock(canvas: Canvas) -> None:
    """Four o'clock."""
    canvas.oval(270, 82, 30, 30, _WHITE, 2.5)
    for turn in range(12):
        angle = turn * np.pi / 6
        x, y = 270 + 25 * np.sin(angle), 82 - 25 * np.cos(angle)
        canvas.oval(float(x), float(y), 1.6, 1.6, INK, 0)
    canvas.stroke([(270, 82), (270, 61)], 2.2)
    canvas.stroke([(270, 82), (283, 90)], 3.2)


def _stove(canvas: Canvas) -> None:
    """A pot that boils over, foam down to the floor."""
    canvas.box(20, 280, 160, 150, _WHITE, 2.5)
    canvas.box(20, 280, 160, 18, _STEEL)
    for x in (46, 80, 114, 148):
        canvas.oval(x, 310, 7, 7, INK, 0)
    canvas.box(42, 330, 116, 74, (70, 74, 82))
    canvas.stroke([(54, 340), (146, 340)], 4, _STEEL)
    for x in (64, 84, 104, 124):  # flames
        canvas.polygon([(x, 280), (x + 5, 262), (x + 10, 280)], (60, 140, 225), 0)
    canvas.box(52, 206, 96, 60, _STEEL, 2.5)
    canvas.stroke([(52, 222), (36, 222)], 6)
    canvas.stroke([(148, 222), (164, 222)], 6)
    for x, y, r in (
        (60, 204, 15),
        (82, 196, 19),
        (108, 196, 20),
        (132, 202, 16),
        (150, 208, 10),
        (48, 210, 10),
    ):
        canvas.oval(x, y, r, r * 0.8, _WHITE, 1.4)
    for x, end in ((50, 300), (150, 372), (160, 424)):
        canvas.limb([(x, 212), (x, end)], 9, _WHITE)
    canvas.oval(166, 432, 34, 8, _WHITE, 1.6)
    canvas.oval(96, 170, 40, 9, _STEEL, 2, -14)  # the lid, lifted by the steam
    canvas.oval(96, 160, 5, 5, INK, 0)
    for x in (66, 100, 134):
        canvas.stroke([(x, 150), (x + 8, 134), (x - 4, 118), (x + 6, 100)], 2.5, (200, 205, 210))


def _shelf(canvas: Canvas) -> None:
    """A cat that has knocked over the milk; it drips onto the floor."""
    canvas.box(530, 204, 110, 12, _WOOD)
    draw_cat(canvas, 560, 176)
    canvas.limb([(600, 196), (622, 196)], 16, _MILK)
    canvas.limb([(630, 197), (636, 197)], 7, _MILK)
    canvas.stroke([(606, 192), (618, 192)], 5, (80, 130, 200))
    canvas.stroke([(640, 200), (645, 208), (645, 300)], 4, _MILK)
    for y in (318, 340, 366):
        canvas.oval(645, y, 3, 5, _MILK, 1)
    canvas.oval(622, 428, 40, 9, _MILK, 1.6)


def _fridge(canvas: Canvas) -> None:
    """Its door stands wide open."""
    canvas.box(676, 130, 92, 300, _WHITE, 2.5)
    canvas.box(688, 142, 80, 276, (206, 226, 236))
    for y in (200, 262, 324):
        canvas.stroke([(688, y), (768, y)], 2)
    canvas.box(700, 170, 20, 30, (232, 190, 60))
    canvas.oval(744, 186, 14, 14, _RED)
    canvas.box(698, 236, 50, 26, (120, 170, 110))
    canvas.oval(714, 310, 16, 14, (240, 150, 60))
    canvas.box(732, 294, 18, 30, _WHITE)
    canvas.polygon([(676, 130), (656, 116), (656, 448), (676, 430)], (226, 230, 234), 2.5)
    canvas.stroke([(661, 250), (661, 300)], 3)


def _table(canvas: Canvas) -> None:
    """The cloth is being pulled; the cake slides with it."""
    for x in (474, 612):
        canvas.box(x, 352, 14, 130, _WOOD)
    canvas.box(462, 334, 178, 18, _WOOD, 2.5)
    canvas.polygon(
        [(446, 330), (584, 330), (584, 372), (560, 366), (536, 374), (510, 366), (486, 380), (462, 414),
         (438, 404)],
        (214, 84, 84), 2,
    )  # fmt: skip
    for x, y in ((476, 344), (506, 344), (536, 344), (566, 344), (490, 360), (520, 358), (466, 376)):
        canvas.oval(x, y, 3.5, 3.5, _WHITE, 0)
    canvas.polygon([(428, 334), (514, 312), (520, 320), (434, 344)], _WHITE, 2)  # the cake's plate, tilting
    canvas.polygon([(438, 328), (430, 298), (496, 280), (505, 311)], (244, 214, 164), 2)
    canvas.polygon([(430, 300), (427, 286), (492, 269), (497, 282)], (244, 150, 170), 2)
    canvas.oval(459, 274, 7, 7, _RED, 1.6)
    for points in ([(420, 296), (408, 303)], [(422, 314), (409, 321)], [(421, 279), (409, 284)]):
        canvas.stroke(points, 2.2)  # it moves


def _bag(canvas: Canvas) -> None:
    """A shopping bag that has fallen over; sausages lead out of it to the dog."""
    canvas.polygon([(268, 478), (340, 466), (352, 520), (280, 536)], (196, 160, 108), 2.5)
    canvas.oval(274, 507, 10, 29, (150, 118, 76), 2, -8)
    canvas.stroke([(344, 482), (366, 480), (368, 504), (350, 508)], 3)
    canvas.oval(352, 530, 13, 13, (120, 176, 80))
    canvas.oval(378, 538, 12, 12, _RED)
    places = ((266, 514, 12), (244, 522, 24), (222, 524, -4), (200, 516, -22))
    for x, y, turn in places:
        canvas.oval(x, y, 13, 6, (176, 74, 56), 1.6, turn)


def _broken_plate(canvas: Canvas) -> None:
    canvas.polygon([(520, 522), (548, 508), (560, 528), (540, 536)], _WHITE, 2)
    canvas.polygon([(566, 512), (592, 514), (584, 534), (566, 528)], _WHITE, 2)
    canvas.polygon([(550, 544), (574, 538), (580, 552), (556, 556)], _WHITE, 2)
    canvas.polygon([(600, 534), (614, 526), (616, 544)], _WHITE, 2)
    for points in ([(526, 518), (546, 512)], [(572, 518), (586, 519)]):
        canvas.stroke(points, 2, (80, 130, 200))
