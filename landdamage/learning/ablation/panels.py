"""A picture for the eye: image, label and what every network says, window by window (as the source paper's Fig. 9)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from landdamage.learning.scenes import Scene
from landdamage.taxonomy import IGNORE

ROWS = 4
SIDE = 224  # pixels of a picture on the sheet
GAP = 6
HEAD, FOOT = 26, 30
RGB = (2, 1, 0)  # places of red, green and blue among bands B, G, R


@dataclass(frozen=True, slots=True)
class Window:
    """A square of a test scene: its first pixel and its side."""

    scene: str
    row: int
    column: int
    side: int

    @property
    def where(self) -> tuple[slice, slice]:
        """For indexing (H,W)."""
        return slice(self.row, self.row + self.side), slice(self.column, self.column + self.side)


def choose_windows(scenes: Sequence[Scene], side: int, rows: int = ROWS) -> list[Window]:
    """The windows with the most classes, each of another region where there are enough; the same for every network.

    Args:
        scenes: test scenes.
        side: of the windows; less where a scene is smaller.
        rows: how many at most.
    """
    rated: list[tuple[int, int, Window, str]] = []
    for scene in scenes:
        labels = np.asarray(scene.labels)
        own = min(side, *labels.shape)
        for row in range(0, labels.shape[0] - own + 1, own):
            for column in range(0, labels.shape[1] - own + 1, own):
                counts = np.bincount(labels[row : row + own, column : column + own].ravel(), minlength=IGNORE + 1)
                classes = int((counts[:IGNORE] > 0.005 * own * own).sum())
                rated.append((-classes, int(counts[IGNORE]), Window(scene.name, row, column, own), scene.group))
    rated.sort(key=lambda one: (one[0], one[1], one[2].scene, one[2].row, one[2].column))
    chosen: list[Window] = []
    seen: set[str] = set()
    for _, _, window, group in rated:
        if group not in seen and len(chosen) < rows:
            seen.add(group)
            chosen.append(window)
    for _, _, window, _ in rated:
        if window not in chosen and len(chosen) < rows:
            chosen.append(window)
    return chosen


def sheet(
    path: Path,
    scenes: Sequence[Scene],
    windows: Sequence[Window],
    columns: Mapping[str, Sequence[NDArray[np.uint8]]],
    names: Sequence[str],
    colours: Sequence[str],
) -> None:
    """Write the picture as PNG.

    Args:
        path: of the PNG.
        scenes: test scenes.
        windows: one per row.
        columns: by heading, the predicted classes (side, side) in every window.
        names: of the classes.
        colours: of the classes, #RRGGBB.
    """
    by_name = {scene.name: scene for scene in scenes}
    palette = _palette(colours)
    headings = ["Image", "Label", *columns]
    width = len(headings) * (SIDE + GAP) + GAP
    picture = Image.new("RGB", (width, HEAD + len(windows) * (SIDE + GAP) + FOOT), "white")
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(14)
    for k, heading in enumerate(headings):
        draw.text((GAP + k * (SIDE + GAP), 4), heading, fill="black", font=font)
    for row, window in enumerate(windows):
        scene = by_name[window.scene]
        pixels = np.asarray(scene.pixels)[(slice(None), *window.where)]
        shown = [scene.stretch.display(pixels)[list(RGB)].transpose(1, 2, 0)]
        shown += [
            palette[labels] for labels in (np.asarray(scene.labels)[window.where], *(c[row] for c in columns.values()))
        ]
        for k, part in enumerate(shown):
            tile = Image.fromarray(np.ascontiguousarray(part)).resize((SIDE, SIDE), Image.Resampling.NEAREST)
            picture.paste(tile, (GAP + k * (SIDE + GAP), HEAD + row * (SIDE + GAP)))
    _legend(draw, picture.height - FOOT, names, colours, font)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, optimize=True)


def _palette(colours: Sequence[str]) -> NDArray[np.uint8]:
    """Colour of every value, (256,3); whatever is no class is white."""
    palette = np.full((256, 3), 255, np.uint8)
    for k, colour in enumerate(colours):
        palette[k] = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return palette


def _legend(
    draw: ImageDraw.ImageDraw,
    top: int,
    names: Sequence[str],
    colours: Sequence[str],
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
) -> None:
    x = GAP
    for name, colour in [*zip(names, colours, strict=True), ("not labelled", "#FFFFFF")]:
        draw.rectangle((x, top + 6, x + 14, top + 20), fill=colour, outline="black")
        text = name.replace("_", " ")
        draw.text((x + 20, top + 5), text, fill="black", font=font)
        x += 34 + int(draw.textlength(text, font=font))
