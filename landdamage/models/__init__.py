"""Records of the land-damage application (geometries in EPSG:4490)."""

from landdamage.models.books import (
    ChangeCell,
    ChangePiece,
    CheckPoint,
    CheckSample,
    ControlPolygon,
    Delivery,
    Edition,
    Evidence,
    MonitoredArea,
    ObservationMask,
    PieceAuthor,
    Restoration,
    Subsidence,
)
from landdamage.models.interpretation import InterpretationRun, Patch, PatchReview
from landdamage.models.scene import Scene

__all__ = [
    "ChangeCell",
    "ChangePiece",
    "CheckPoint",
    "CheckSample",
    "ControlPolygon",
    "Delivery",
    "Edition",
    "Evidence",
    "InterpretationRun",
    "MonitoredArea",
    "ObservationMask",
    "Patch",
    "PatchReview",
    "PieceAuthor",
    "Restoration",
    "Scene",
    "Subsidence",
]
