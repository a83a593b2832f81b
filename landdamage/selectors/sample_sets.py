"""Reads of sample sets: what a person may see, and the tiles a page shows of one."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from django.db.models import QuerySet
from PIL import Image

from landdamage.imagery.thumbnail import display_indexes
from landdamage.learning.samples import table
from landdamage.learning.samples.sampleset import SampleSet as Folder
from landdamage.learning.samples.tiles import read_labels, read_pixels
from landdamage.models import SampleSet
from landdamage.services.sample_sets import sample_set_folder
from landdamage.taxonomy import CLASSES, IGNORE
from minegis.access.models import User
from minegis.errors import Language, MineGISError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_VEIL = 0.45  # of the class colour over the picture


def sample_sets_visible(user: User) -> QuerySet[SampleSet]:
    """Sample sets a person may read, newest first."""
    found: QuerySet[SampleSet] = SampleSet.objects.visible_to(user)
    return found.select_related("region", "job", "created_by").order_by("-created_at")


def table_file(row: SampleSet, language: Language) -> tuple[str, str]:
    """Name and text of a set's table as CSV; the mark of byte order lets Excel read the Chinese names.

    Raises:
        MineGISError: E-SET-29, the set is not ready.
    """
    if row.state != SampleSet.State.READY:
        raise MineGISError("E-SET-29", value=row.get_state_display())
    return f"samples_{row.sha256[:8]}_v{row.version}.csv", "\ufeff" + table.as_csv(row.table, language)


def tile_picture(row: SampleSet, tile_id: str) -> bytes:
    """A tile beside itself under its labels, as PNG; unlabelled ground is hatched.

    Args:
        row: a ready set.
        tile_id: one of those its report lists for the page.

    Raises:
        MineGISError: E-API-04, it is not one of them.
    """
    if row.state != SampleSet.State.READY or tile_id not in row.report.get("preview", ()):
        raise MineGISError("E-API-04")
    folder = Folder.open(sample_set_folder(row.sha256))
    tile = next(one for one in folder.tiles if one.id == tile_id)
    pixels, valid = read_pixels(folder.folder, tile_id)
    shown = [i - 1 for i in display_indexes(folder.params.bands, range(1, len(folder.params.bands) + 1))]
    stretch = folder.images[tile.image].stretch
    low, high = (np.asarray(part)[shown, None, None] for part in (stretch.low, stretch.high))
    grey = np.clip((pixels[shown].astype(np.float32) - low) * (255.0 / (high - low)), 0, 255)
    picture = np.moveaxis(grey, 0, -1).astype(np.uint8)
    picture[~valid] = 128
    out = io.BytesIO()
    both = np.concatenate([picture, _veiled(picture, read_labels(folder.folder, tile_id))], axis=1)
    Image.fromarray(both).save(out, "PNG")
    return out.getvalue()


def _veiled(picture: NDArray[np.uint8], labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture under its class colours; background stays bare, unlabelled ground gets diagonal lines."""
    out = picture.astype(np.float32)
    for land_class in CLASSES:
        if land_class.id:
            here = labels == land_class.id
            out[here] = (1 - _VEIL) * out[here] + _VEIL * np.array(land_class.rgb, np.float32)
    rows, columns = np.indices(labels.shape)
    out[(labels == IGNORE) & ((rows + columns) % 8 == 0)] = 255
    return out.astype(np.uint8)
