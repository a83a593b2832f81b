"""Imagery: from a file of unknown origin to a checked, cloud-optimised scene. No Django here."""

from landdamage.imagery.checks import SceneReport, inspect_scene
from landdamage.imagery.cog import write_cog
from landdamage.imagery.footprint import valid_footprint
from landdamage.imagery.open import open_raster
from landdamage.imagery.radiometry import Stretch, scene_stretch
from landdamage.imagery.thumbnail import write_thumbnail
from minegis.storage import Storage

__all__ = [
    "SceneReport",
    "Storage",
    "Stretch",
    "inspect_scene",
    "open_raster",
    "scene_stretch",
    "valid_footprint",
    "write_cog",
    "write_thumbnail",
]
