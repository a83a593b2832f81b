"""A camera's frames through the chain as they come, with the gate and the steady brightness of clips."""

from __future__ import annotations

from enhancement.dehaze.fast import Dehazer
from enhancement.lednet.apply import Enhancer, Picture
from enhancement.lednet.facts import Choice
from enhancement.lednet.video import SMALL, Brightness, gain, scaled
from enhancement.video.atmosphere import Air, Measure
from enhancement.video.steady import SteadyDehazer

ON_CPU = 640  # pixels of the longer side that a CPU is given: larger frames would come less than once a second


class LiveNight:
    """Enhances frames, bytes (H, W, 3), B, G, R, in their order of time.

    Attributes:
        longest: pixels of the longer side that frames should be shrunk to before; None for as they are.
    """

    def __init__(self, enhancer: Enhancer, dehazer: Dehazer, choice: Choice) -> None:
        self._enhancer = enhancer
        self._steady = SteadyDehazer(dehazer) if choice.dehaze else None
        self._brightness = Brightness(choice)
        self.longest = ON_CPU if enhancer.device.type == "cpu" else None

    def __call__(self, frame: Picture, air: Air, measure: Measure) -> Picture:
        """The frame, enhanced as its scene needs."""
        picture = self._steady(frame, air) if self._steady else frame
        if not self._brightness.dark(measure, air.fresh):
            return picture
        bright = self._enhancer(picture)
        step = -(-max(picture.shape[:2]) // SMALL)
        own = gain(picture[::step, ::step], bright[::step, ::step])
        return scaled(bright, self._brightness.factor(measure.time, own, air.fresh))
