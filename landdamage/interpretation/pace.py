"""How fast a scene is being interpreted, and how long that will still take."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

WINDOW_S = 60.0  # the pace is that of the last minute: workers come and go
LEAST_S = 2.0  # earlier a pace only jumps about


@dataclass(frozen=True, slots=True)
class Pace:
    """Where the network's stage stands.

    Attributes:
        km2: ground of the scene.
        km2_done: of it, interpreted so far.
        km2_per_s: ground per second over the last minute; None while that is not known.
        seconds_left: for the rest of this stage at that pace; None while that is not known.
    """

    km2: float
    km2_done: float
    km2_per_s: float | None
    seconds_left: float | None

    def as_dict(self) -> dict[str, float]:
        """As JSON; what is not known is left out."""
        known = {
            "km2": round(self.km2, 3),
            "km2_done": round(self.km2_done, 3),
            "km2_per_s": None if self.km2_per_s is None else float(f"{self.km2_per_s:.3g}"),
            "seconds_left": None if self.seconds_left is None else round(self.seconds_left),
        }
        return {key: value for key, value in known.items() if value is not None}


class Pacer:
    """Takes the share done from time to time and says the pace.

    Args:
        km2: ground of the scene.
        clock: seconds that only grow.
    """

    def __init__(self, km2: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.km2, self._clock = km2, clock
        self._seen: deque[tuple[float, float]] = deque()

    def at(self, share: float) -> Pace:
        """The pace now that ``share`` (0-1) is done; what was done before the first call counts as nobody's work."""
        now = self._clock()
        self._seen.append((now, share))
        while len(self._seen) > 2 and now - self._seen[1][0] >= WINDOW_S:
            self._seen.popleft()
        since, share_then = self._seen[0]
        rate = left = None
        if now - since >= LEAST_S and share > share_then:
            per_s = (share - share_then) / (now - since)
            rate, left = per_s * self.km2, (1 - share) / per_s
        return Pace(self.km2, share * self.km2, rate, left)
