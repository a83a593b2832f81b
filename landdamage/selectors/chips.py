"""Before and after images of a change or a patch, for those who may see images in its region."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import numpy as np
import shapely
from django.db.models import QuerySet

from landdamage.imagery.chip import chip, chip_window
from landdamage.imagery.radiometry import Stretch
from landdamage.imagery.thumbnail import display_indexes
from landdamage.models import ChangePiece, Patch, Scene
from landdamage.services.files import file_path
from minegis.access.models import User
from minegis.access.permissions import Action, allowed

COARSEST = 2.0  # metres per pixel assumed where no scene says


def piece_chips(piece: ChangePiece, user: User | None, size: int = 384) -> tuple[bytes | None, bytes | None]:
    """PNG of the place before and after, the outline drawn in; None where no image may be shown.

    Args:
        piece: the change.
        user: whose eyes; None is the platform itself.
        size: pixels of a side; both show the same ground.
    """
    pair = piece_scenes(piece, user)
    before, after = (outline_chip(piece.geom, scene, pair, size) if scene else None for scene in pair)
    return before, after


Pair = tuple[Scene | None, Scene | None]


def piece_scenes(piece: ChangePiece, user: User | None) -> Pair:
    """The images before and after that this person may see: the one the cells name, else the newest."""
    named = piece.cells.exclude(scene=None).order_by("-area_cm2").values_list("scene", flat=True).first()
    return _before(piece.geom, piece.edition.year, user), _now(piece.geom, piece.edition.year, named, user)


def patch_scenes(patch: Patch, user: User | None) -> Pair:
    """The image that a patch was found on and the newest of an earlier year, as far as this person may see them."""
    scene = patch.run.scene
    seen = scene if _shown(scene, user) else None
    return _before(patch.geom, scene.year, user) if scene.year else None, seen


def outline_chip(outline: Any, scene: Scene, pair: Pair, size: int = 384, colour: str = "") -> bytes | None:
    """One of the two chips; None where the image is not in the storage.

    Args:
        outline: what is drawn in, EPSG:4490.
        scene: the image to cut.
        pair: both images, so that both chips show the same ground.
        size: pixels of a side.
        colour: of the outline; empty for the usual one.
    """
    geometry = shapely.from_wkb(bytes(outline.wkb))
    window, epsg = chip_window(geometry, max((s.gsd_m or 0.0 for s in pair if s), default=0.0) or COARSEST)
    return _cut(scene, geometry, window, epsg, size, colour)


def _before(outline: Any, year: int, user: User | None) -> Scene | None:
    return _first(_scenes(outline).filter(acquired_on__year__lt=year), user)


def _now(outline: Any, year: int, named: UUID | None, user: User | None) -> Scene | None:
    found = _scenes(outline).filter(acquired_on__year=year)
    return _first(sorted(found, key=lambda scene: scene.pk != named), user)


def _scenes(outline: Any) -> QuerySet[Scene]:
    shown = Scene.objects.filter(state__in=Scene.USABLE, footprint__intersects=outline).exclude(stretch={})
    return shown.select_related("region").order_by("-acquired_on", "-uploaded_at")


def _first(scenes: Iterable[Scene], user: User | None) -> Scene | None:
    return next((scene for scene in scenes if _shown(scene, user)), None)


def _shown(scene: Scene, user: User | None) -> bool:
    return bool(scene.stretch) and (user is None or allowed(user, Action.READ_IMAGE, scene.region))


def _cut(
    scene: Scene,
    geometry: shapely.Geometry,
    window: tuple[float, float, float, float],
    epsg: int,
    size: int,
    colour: str,
) -> bytes | None:
    indexes = display_indexes(scene.bands, range(1, len(scene.bands) + 1))
    low, high = (np.asarray(scene.stretch[key], float)[[i - 1 for i in indexes]] for key in ("low", "high"))
    path = file_path(scene.cog_sha256)
    if not path.is_file():
        return None
    return chip(
        path, geometry, stretch=Stretch(low, high), indexes=indexes, window=window, epsg=epsg, size=size,
        **({"colour": colour} if colour else {}),
    )  # fmt: skip
