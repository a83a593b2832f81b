"""Records of the land-damage application (geometries in EPSG:4490)."""

from landdamage.models.interpretation import InterpretationRun, Patch
from landdamage.models.scene import Scene

__all__ = ["InterpretationRun", "Patch", "Scene"]
