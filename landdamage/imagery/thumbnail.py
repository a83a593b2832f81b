"""A small picture of a scene for lists."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from landdamage.imagery.bands import found_order
from landdamage.imagery.names import parse_name
from landdamage.imagery.open import open_raster
from landdamage.imagery.pixels import decimated_shape, read_pixels
from landdamage.imagery.radiometry import display_stretch

_FORMATS = {".webp": "WEBP", ".png": "PNG"}


def display_indexes(bands: Sequence[str], indexes: Sequence[int]) -> tuple[int, int, int]:
    """Band numbers to show as red, green, blue: true colour, else near infrared false colour, else the first bands.

    Args:
        bands: band names in file order.
        indexes: their 1-based numbers.
    """
    number = dict(zip(bands, indexes, strict=True))
    for wanted in (("R", "G", "B"), ("N", "R", "G")):
        if all(letter in number for letter in wanted):
            return tuple(number[letter] for letter in wanted)  # type: ignore[return-value]
    first = [*indexes, indexes[-1], indexes[-1]]
    return first[0], first[1], first[2]


def write_thumbnail(path: Path | str, dst: Path | str, size: int = 320, indexes: Sequence[int] | None = None) -> None:
    """Write a picture no larger than ``size`` pixels a side, nodata transparent.

    Args:
        path: an image, best a COG of the product (its overviews make this quick).
        dst: a ``.webp`` or ``.png`` file; appears only when complete.
        size: longest side in pixels.
        indexes: three 1-based bands for red, green, blue; None takes them from the file's band names.

    Raises:
        SceneError: the image cannot be opened.
        ValueError: the extension of ``dst`` is neither.
    """
    dst = Path(dst)
    if dst.suffix.lower() not in _FORMATS:
        raise ValueError("a thumbnail is a .webp or a .png file")
    with open_raster(path) as dataset:
        if indexes is None:
            order = found_order(dataset, parse_name(Path(path).name))
            indexes = display_indexes(order.names, order.indexes)
        pixels, valid = read_pixels(dataset, indexes, out_shape=decimated_shape(dataset, size))
    picture = np.moveaxis(display_stretch(path, indexes).display(np.nan_to_num(pixels)), 0, -1)
    picture[~valid] = 0
    rgba = np.dstack([picture, np.where(valid, 255, 0).astype(np.uint8)])
    part = dst.with_name(f".{dst.name}.{os.getpid()}.part")
    try:
        Image.fromarray(rgba).save(part, format=_FORMATS[dst.suffix.lower()], quality=80)
        part.replace(dst)
    finally:
        part.unlink(missing_ok=True)
