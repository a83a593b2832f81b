"""What a person may choose about a sample set."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from minegis.errors import SampleSetError

SETS = ("train", "val", "test")
SHARES = MappingProxyType({"train": 0.6, "val": 0.2, "test": 0.2})
S2_COPIES = 3  # the source paper: every original and two augmented copies of it
_RANGES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "gsd_m": (0.02, 120.0),
        "tile": (32, 2048),  # a picture of fewer pixels has no fingerprint
        "stride": (8, 2048),
        "ring_px": (0, 32),
        "sliver_px": (0, 10_000),
        "least_labelled": (0.0, 1.0),
        "most_background": (0.0, 0.95),
        "cell_m": (100, 200_000),
        "gap_tiles": (0.0, 10.0),
        "seed": (0, 2**31 - 1),
    }
)


@dataclass(frozen=True, slots=True)
class Params:
    """How labelled ground becomes a sample set; the defaults are those of the shipped two-metre model.

    Attributes:
        gsd_m: ground sampling distance of every tile, metres; all sensors are resampled to it.
        bands: of the tiles, in this order; every image must have them.
        tile: side of a tile in pixels.
        stride: pixels from one training tile to the next; validation and test tiles touch without overlap.
        ring_px: width in pixels of the band along class borders that is made unsure (255); 0 keeps borders.
        sliver_px: polygons of less area, in pixels of the set, are dropped.
        least_labelled: share of a tile that must show a class other than background.
        most_background: tiles below that share are kept up to this share of their set.
        split: ``region`` (the rule) or ``s2`` (augmented first, drawn at random: leaks, for comparison only).
        folds: number of folds of a cross-validation instead of the three sets; 0 makes the three sets.
        regions: what never parts: a ``cell`` of ``cell_m``, the ground of a ``mine``, or a whole ``image``.
        cell_m: side of a cell in metres.
        overlaps: ``part`` leaves out tiles that come near another set's, ``join`` puts regions whose tiles come near
            each other into one (nothing is lost, but a mosaic becomes a single region).
        gap_tiles: least distance between tiles of two sets, in tiles.
        seed: of whatever is chosen by chance.
    """

    gsd_m: float = 2.0
    bands: tuple[str, ...] = ("B", "G", "R", "N")
    tile: int = 512
    stride: int = 384
    ring_px: int = 0
    sliver_px: float = 4.0
    least_labelled: float = 0.005
    most_background: float = 0.30
    split: Literal["region", "s2"] = "region"
    folds: int = 0
    regions: Literal["cell", "mine", "image"] = "cell"
    cell_m: float = 5000.0
    overlaps: Literal["part", "join"] = "part"
    gap_tiles: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        for part in dataclasses.fields(self):  # 10 and 10.0 must be one set, with one hash
            if isinstance(part.default, float):
                object.__setattr__(self, part.name, float(getattr(self, part.name)))
        for name, (low, high) in _RANGES.items():
            if not low <= getattr(self, name) <= high:
                raise SampleSetError("E-SET-24", value=f"{name}={getattr(self, name)}", known=f"{low:g}-{high:g}")
        choices = {
            "split": ("region", "s2"),
            "regions": ("cell", "mine", "image"),
            "overlaps": ("part", "join"),
        }
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise SampleSetError("E-SET-24", value=f"{name}={getattr(self, name)}", known=", ".join(known))
        if self.folds and not 2 <= self.folds <= 20:
            raise SampleSetError("E-SET-24", value=f"folds={self.folds}", known="0, 2-20")
        if self.folds and self.split == "s2":
            raise SampleSetError("E-SET-24", value="folds + split=s2", known="folds + split=region")
        if not 1 <= len(self.bands) == len(set(self.bands)) <= 16:
            raise SampleSetError("E-SET-24", value=f"bands={','.join(self.bands)}", known="B,G,R,N")

    @property
    def sets(self) -> tuple[str, ...]:
        """Names of the sets: train, val, test, or fold1 to foldN."""
        return tuple(f"fold{number + 1}" for number in range(self.folds)) if self.folds else SETS

    @property
    def shares(self) -> Mapping[str, float]:
        """Wanted share of each set."""
        return dict.fromkeys(self.sets, 1 / self.folds) if self.folds else SHARES

    @property
    def gap_m(self) -> float:
        """Least distance on the ground between tiles of two sets, metres."""
        return self.gap_tiles * self.tile * self.gsd_m

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**dataclasses.asdict(self), "bands": list(self.bands)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Params:
        """The inverse of ``as_dict``; whatever is left out takes its default.

        Raises:
            SampleSetError: E-SET-24, an unknown name or a value out of its range.
        """
        names = {field.name: field for field in dataclasses.fields(cls)}
        unknown = sorted(set(values) - set(names))
        if unknown:
            raise SampleSetError("E-SET-24", value=", ".join(unknown), known=", ".join(names))
        made: dict[str, Any] = {}
        for name, value in values.items():
            try:
                made[name] = _typed(value, names[name].default)
            except (TypeError, ValueError):
                raise SampleSetError("E-SET-24", value=f"{name}={value}", known=repr(names[name].default)) from None
        return cls(**made)


def _typed(value: Any, example: Any) -> Any:
    """A value of JSON or of a form in the type of the default."""
    if isinstance(example, tuple):
        parts = value.split(",") if isinstance(value, str) else list(value)
        return tuple(str(part).strip().upper() for part in parts if str(part).strip())
    if isinstance(example, bool) or isinstance(value, bool):
        raise TypeError
    if isinstance(example, int):
        whole = int(value)
        if float(value) != whole:
            raise ValueError
        return whole
    return type(example)(value)
