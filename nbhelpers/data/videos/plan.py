"""Which work is filmed by which camera: what a set of drawn videos holds, before one of them is drawn."""

from dataclasses import dataclass

from nbhelpers.artifacts import sha256_value
from nbhelpers.data.operations import Timeline, draw_timeline, find_operation_world
from nbhelpers.data.operations.render import RENDERER
from nbhelpers.errors import BadInput

# Raise it with every change of how videos are planned or encoded.
ENCODER = 2
# How often the procedure is followed. In real sessions it is 93 of 96 times, and a table of what usually
# follows, given the true operation, then beats everybody who looks. At 0.6 that table is right 6 times of
# 10: clearly below what looking gives, since in four clips of five a frame shows the next operation.
MAIN = 0.6
_LENGTHS_S = {"twin": 24.0, "full": 72.0}  # about 15 operations at the twin's pace, 10 at the real one


@dataclass(frozen=True)
class Take:
    """One video to draw: the work of one session, seen by one camera."""

    index: int
    timeline: Timeline
    camera: int
    source: str
    file_name: str


@dataclass(frozen=True)
class VideoPlan:
    """What is drawn; video `i` depends on this and `i` alone.

    Attributes:
        seed: of the set.
        world: name of the site.
        full: all ten operations at their real pace (1.6 to 26 s) instead of the world's small set at the
            twin's.
        main: probability that the procedure is followed from one operation to the next.
        duration_s: mean length; videos vary by a fifth around it.
        size_px: side of the square picture.
        fps: frames per second.
        cameras: session `k` is filmed by `1 + k % cameras` of them.
    """

    seed: int = 0
    world: str = "shifted"
    full: bool = False
    main: float = MAIN
    duration_s: float = 0.0
    size_px: int = 168
    fps: int = 10
    cameras: int = 2

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn or read back at the times a model is asked about."""
        find_operation_world(self.world)
        if self.duration_s == 0.0:
            object.__setattr__(self, "duration_s", _LENGTHS_S[self.pace])
        problems = (
            (self.seed < 0, f"seed is {self.seed}; it must be 0 or more"),
            (not 0 <= self.main <= 1, f"main is {self.main}; give a probability from 0 to 1"),
            (not 4 <= self.duration_s <= 3600, f"duration is {self.duration_s} s; give 4 to 3600"),
            (
                self.size_px % 2 or not 32 <= self.size_px <= 1024,
                f"size is {self.size_px} pixels; give an even number from 32 to 1024",
            ),
            (
                self.fps % 10 or not 10 <= self.fps <= 60,
                f"{self.fps} frames per second; give 10, 20, 30 ...: every tenth of a second needs a frame",
            ),
            (not 1 <= self.cameras <= 9, f"{self.cameras} cameras; give 1 to 9"),
        )
        for wrong, message in problems:
            if wrong:
                raise BadInput(f"make_videos: {message}")

    @property
    def pace(self) -> str:
        """Name of the pace of the work."""
        return "full" if self.full else "twin"

    @property
    def key(self) -> str:
        """What must agree for a video on disk to be the one that was asked for."""
        return sha256_value({"plan": self, "renderer": RENDERER, "encoder": ENCODER})[:16]

    def take(self, index: int) -> Take:
        """Video `index`: its session, camera and timeline."""
        session, camera = _session_and_camera(index, self.cameras)
        length = self.duration_s * (0.8 + 0.4 * (session * 0.6180339887 % 1))  # even over sessions, no seed
        timeline = draw_timeline(
            self.seed,
            session,
            self.world,
            duration_s=float(round(length)),
            pace=self.pace,
            full=self.full,
            main=self.main,
        )
        # Sets of two seeds are not of the same sessions, and the guard against leaks knows sources by name.
        source = f"U{session + 1:04d}/S{100 * (self.seed + 1):04d}"
        return Take(index, timeline, camera, source, f"{source.replace('/', '_')}_C{camera + 1}.mp4")


def _session_and_camera(index: int, cameras: int) -> tuple[int, int]:
    """Sessions of 1, 2 ... `cameras` videos, again and again."""
    block, rest = divmod(index, cameras * (cameras + 1) // 2)
    session = block * cameras
    for size in range(1, cameras + 1):
        if rest < size:
            return session + size - 1, rest
        rest -= size
    raise AssertionError("the sizes sum to the length of a block")
