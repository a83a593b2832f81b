"""The parameters of dehazing: defaults, ranges, presets. Values outside their range are clamped and said to be."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Any, Literal

from minegis.errors import EnhancementError, Finding

# Name: lowest and highest value. 0.98 is where step 4 clips the sky's transmission: more would add haze (point 8).
RANGES = MappingProxyType(
    {
        "omega": (0.5, 1.0),
        "sky_thresh": (0.3, 1.0),
        "sky_trans": (0.5, 0.98),
        "window_size": (5, 25),
        "non_sky_gain": (0.5, 1.0),
        "t0": (0.05, 0.3),
    }
)
SKY_CLIP = 0.98  # no sky is taken for clearer than this
VEIL_BRIGHTNESS = 0.97  # share of the haziest pixels that are no brighter than the air light "veil"


@dataclass(frozen=True, slots=True)
class Settings:
    """What dehazing does. Fractions are of full scale, lengths in pixels of the full image.

    ``omega``: share of the haze taken away. ``sky_thresh``: a pixel whose mean is above may be sky. ``sky_trans``:
    least transmission of sky. ``window_size``: side of the dark channel's window, odd, or "auto" for 2.5 % of the
    shorter side. ``non_sky_gain``: factor on the transmission of what is not sky. ``t0``: least transmission.
    ``radius``, ``eps``: of the guided filter; radius None is max(8, 4 windows).
    ``airlight``: "robust" is the median of the haziest pixels, "seed" the brightest one of them, "veil" as bright as
    nearly all of the haziest pixels, in the colour that lies over the darkest pixels everywhere.
    ``sky_connected``: only what hangs on the upper border without strong edges is sky. ``night_gate``: pass frames of
    the night, and those without haze, through.
    """

    omega: float = 0.75
    sky_thresh: float = 0.70
    sky_trans: float = 0.85
    window_size: int | Literal["auto"] = 5
    non_sky_gain: float = 0.9
    t0: float = 0.1
    radius: int | None = None
    eps: float = 1e-3
    airlight: Literal["robust", "seed", "veil"] = "robust"
    sky_connected: bool = False
    night_gate: bool = True

    def clamped(self) -> tuple[Settings, list[Finding]]:
        """These settings within their ranges, and a warning E-ENH-01 for each that was not.

        Raises:
            EnhancementError: E-ENH-02, a value is not a number or a mode is unknown.
        """
        changed: dict[str, Any] = {}
        findings = []
        for name, (low, high) in RANGES.items():
            value = getattr(self, name)
            if name == "window_size" and value == "auto":
                continue
            if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
                raise EnhancementError("E-ENH-02", field=name, value=value)
            kept = min(max(value, low), high)
            if name == "window_size":
                kept = int(kept) | 1
            if kept != value:
                findings.append(Finding("E-ENH-01", name, {"field": name, "value": value, "kept": kept}))
                changed[name] = kept
        if self.airlight not in ("robust", "seed", "veil"):
            raise EnhancementError("E-ENH-02", field="airlight", value=self.airlight)
        if self.window_size != "auto" and isinstance(self.window_size, str):
            raise EnhancementError("E-ENH-02", field="window_size", value=self.window_size)
        if self.radius is not None and not (isinstance(self.radius, int) and self.radius >= 1):
            raise EnhancementError("E-ENH-02", field="radius", value=self.radius)
        if not 0 < self.eps < 1:
            raise EnhancementError("E-ENH-02", field="eps", value=self.eps)
        return replace(self, **changed), findings

    def window(self, height: int, width: int) -> int:
        """The window's side for an image of this size, odd."""
        if self.window_size == "auto":
            return max(3, int(0.025 * min(height, width))) | 1
        return int(self.window_size)

    def filter_radius(self, window: int) -> int:
        """The guided filter's radius in pixels for a dark channel of this window."""
        return self.radius if self.radius is not None else max(8, 4 * window)


# "report" is the source report's choice point by point; the others are ours, judged in docs/results/dehaze.md.
PRESETS = MappingProxyType(
    {
        "standard": Settings(omega=0.95, window_size=25, radius=40, non_sky_gain=1.0, sky_trans=0.5, airlight="veil"),
        "gentle": Settings(omega=0.8, window_size=25, radius=40, non_sky_gain=1.0, sky_trans=0.5, airlight="veil"),
        "report": Settings(),
    }
)


def preset(name: str, **overrides: Any) -> Settings:
    """A preset with some values replaced.

    Raises:
        EnhancementError: E-ENH-02, no such preset or parameter.
    """
    if name not in PRESETS:
        raise EnhancementError("E-ENH-02", field="preset", value=name)
    known = {field.name for field in fields(Settings)}
    for key in overrides:
        if key not in known:
            raise EnhancementError("E-ENH-02", field=key, value=overrides[key])
    return replace(PRESETS[name], **overrides)
