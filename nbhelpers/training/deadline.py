"""When a training has to be over: so many seconds in all, or a time of day."""

import time
from dataclasses import dataclass, field


@dataclass
class Deadline:
    """Two limits, of which the nearer counts.

    Attributes:
        max_seconds: of training over all calls; None for no limit.
        end_at: seconds since 1970 (`time.time()`), such as the end of a session; None for no limit.
        spent_s: by calls before this one.
    """

    max_seconds: float | None = None
    end_at: float | None = None
    spent_s: float = 0.0
    _began: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Spent so far, calls before this one included."""
        return self.spent_s + time.monotonic() - self._began

    def left_s(self) -> float:
        """Seconds until the nearer limit; infinite where there is none, negative when it has passed."""
        left = [float("inf")]
        if self.max_seconds is not None:
            left.append(self.max_seconds - self.seconds)
        if self.end_at is not None:
            left.append(self.end_at - time.time())
        return min(left)
