"""Which band is which: names given by the user or the file win, statistics only propose.

Letters: B, G, R, N (near infrared) are what models ask for; other bands keep their own names (SWIR1, RE1, PAN ...).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import ColorInterp
from rasterio.io import DatasetReader

from landdamage.imagery.names import SceneName
from landdamage.imagery.open import read_descriptions
from landdamage.imagery.pixels import decimated_shape, read_pixels

_SYNONYMS = {
    "BLUE": "B", "GREEN": "G", "RED": "R", "NIR": "N", "NEARINFRARED": "N", "NEAR INFRARED": "N", "NIR1": "N",
    "蓝": "B", "绿": "G", "红": "R", "近红外": "N", "SWIR": "SWIR1",
}  # fmt: skip
_SENTINEL2 = {
    "B1": "COASTAL", "B2": "B", "B3": "G", "B4": "R", "B5": "RE1", "B6": "RE2", "B7": "RE3", "B8": "N", "B8A": "N2",
    "B9": "WV", "B10": "CIRRUS", "B11": "SWIR1", "B12": "SWIR2",
}  # fmt: skip
_LANDSAT8 = {"B1": "COASTAL", "B2": "B", "B3": "G", "B4": "R", "B5": "N", "B6": "SWIR1", "B7": "SWIR2"}
_FOUR_BAND = {"B1": "B", "B2": "G", "B3": "R", "B4": "N"}  # GF, ZY-3 and Landsat 4-7 count from blue
_BGRN_SATELLITES = ("GF1", "GF2", "GF6", "GF7", "ZY3", "SUPERVIEW", "BJ2", "JL1", "CB04A")
_COLOURS = {ColorInterp.red: "R", ColorInterp.green: "G", ColorInterp.blue: "B"}
_NEEDED = frozenset("BGRN")


@dataclass(frozen=True, slots=True)
class BandOrder:
    """Names of the data bands and their 1-based numbers in the file; ``certain`` is False for a mere proposal."""

    names: tuple[str, ...]
    indexes: tuple[int, ...]
    certain: bool


def normalise_bands(bands: Sequence[str]) -> tuple[str, ...]:
    """Band names as letters where they are known: ``["nir", "Red"]`` -> ``("N", "R")``; others in capitals."""
    return tuple(_SYNONYMS.get(name.strip().upper(), name.strip().upper()) for name in bands)


def given_order(dataset: DatasetReader, bands: Sequence[str]) -> BandOrder | None:
    """The user's answer applied to a file, or None where it does not fit.

    It names every data band once; when it also names the band tagged alpha, that tag is taken to be wrong.
    """
    names = normalise_bands(bands)
    known = [name for name in names if name in _NEEDED]
    if len(known) != len(set(known)) or "" in names:
        return None
    for indexes in (data_indexes(dataset), tuple(dataset.indexes)):
        if len(names) == len(indexes):
            return BandOrder(names, indexes, True)
    return None


def found_order(dataset: DatasetReader, name: SceneName) -> BandOrder:
    """The order told by descriptions, satellite or colour tags; else proposed from the pixels."""
    indexes = data_indexes(dataset)
    texts = read_descriptions(dataset)
    described = _described([texts[i - 1] for i in indexes], name)
    if described is not None:
        return BandOrder(described, indexes, True)
    if len(indexes) == 4 and name.satellite.startswith(_BGRN_SATELLITES):
        return BandOrder(("B", "G", "R", "N"), indexes, True)
    letters = [_COLOURS.get(dataset.colorinterp[i - 1], "") for i in indexes]
    if sorted(filter(None, letters)) == ["B", "G", "R"]:
        # "RGB" with one more band is what GDAL writes by default for any four bytes, so it is only a proposal.
        extra = iter(["N", *(f"X{i}" for i in range(5, len(indexes) + 2))])
        certain = len(indexes) == 3 and not _false_alpha(dataset)
        return BandOrder(tuple(letter or next(extra) for letter in letters), indexes, certain)
    return BandOrder(_proposed(dataset, indexes), indexes, len(indexes) < 3)


def data_indexes(dataset: DatasetReader) -> tuple[int, ...]:
    """1-based numbers of the bands that hold measurements: all but true alpha."""
    alpha = alpha_index(dataset)
    if alpha is not None and _false_alpha(dataset):
        alpha = None
    return tuple(i for i in dataset.indexes if i != alpha)


def alpha_is_mask(dataset: DatasetReader) -> bool:
    """Whether the file's own mask may be believed: false where a measuring band is mistagged as alpha."""
    return not _false_alpha(dataset)


def alpha_index(dataset: DatasetReader) -> int | None:
    """1-based number of the band tagged alpha, rightly or not; None where there is none."""
    if dataset.count < 2 or ColorInterp.alpha not in dataset.colorinterp:
        return None
    return dataset.colorinterp.index(ColorInterp.alpha) + 1


def _false_alpha(dataset: DatasetReader) -> bool:
    """A real alpha is almost everywhere 0 or full; a near-infrared band tagged alpha is neither."""
    alpha = alpha_index(dataset)
    if alpha is None:
        return False
    values = dataset.read(alpha, out_shape=decimated_shape(dataset, 512))
    return bool(np.mean((values != 0) & (values != values.max())) > 0.05)


def _described(descriptions: list[str], name: SceneName) -> tuple[str, ...] | None:
    """Band names from the file's band descriptions; None unless blue, green, red or near infrared are among them."""
    if not any(descriptions):
        return None
    codes = [text.strip().upper() for text in descriptions]
    short = ["B" + code[1:].lstrip("0") if code[:1] == "B" and code[1:2].isdigit() else code for code in codes]
    numbers = {code for code in short if code[:1] == "B" and code[1:2].isdigit()}
    if not numbers:
        letters = tuple(_SYNONYMS.get(code, code) for code in codes)
        known = [letter for letter in letters if letter in _NEEDED]
        return letters if len(known) >= 3 and len(known) == len(set(known)) else None
    if name.satellite == "SENTINEL2" or "B8" in numbers or "B8A" in numbers or numbers == {"B2", "B3", "B4"}:
        table = _SENTINEL2
    elif name.satellite in ("LANDSAT8", "LANDSAT9") or (numbers >= {"B2", "B3", "B4", "B5"} and "B1" not in numbers):
        table = _LANDSAT8
    elif numbers == {"B1", "B2", "B3", "B4"}:
        table = _FOUR_BAND
    else:
        return None
    return tuple(table.get(code, code) for code in short)


def _proposed(dataset: DatasetReader, indexes: tuple[int, ...]) -> tuple[str, ...]:
    """Blue first or red first, by contrast: haze brightens blue most, so its coefficient of variation is the lower.

    Near infrared is taken to come fourth, as in every BGRN or RGBN product.
    """
    extra = tuple(f"X{i}" for i in range(5, len(indexes) + 1))
    if len(indexes) < 3:
        return ("PAN", "X2")[: len(indexes)]
    pixels, valid = read_pixels(dataset, indexes[:3], out_shape=decimated_shape(dataset, 512), mask=False)
    blue_first = _contrast(pixels[0][valid]) <= _contrast(pixels[2][valid])
    order = ("B", "G", "R") if blue_first else ("R", "G", "B")
    return (*order, "N", *extra)[: len(indexes)]


def _contrast(values: NDArray[Any]) -> float:
    """Standard deviation over mean; infinite where there is nothing to measure."""
    mean = float(values.mean(dtype=np.float64)) if values.size else 0.0
    return float(values.std(dtype=np.float64)) / mean if mean > 0 else float("inf")
