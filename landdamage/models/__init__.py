"""Records of the land-damage application (geometries in EPSG:4490)."""

from landdamage.models.blocks import InterpretationBlock
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
from landdamage.models.ground import Hydrography, TerritoryOverride
from landdamage.models.interpretation import InterpretationRun, Patch, PatchReview
from landdamage.models.labels import LabelPlate, LabelSheet
from landdamage.models.samples import SampleSet
from landdamage.models.scene import RegistrationCheck, Scene
from landdamage.models.trained import ModelComparison, ModelDeed, ModelScore, TrainedModel, Training

__all__ = [
    "ChangeCell",
    "ChangePiece",
    "CheckPoint",
    "CheckSample",
    "ControlPolygon",
    "Delivery",
    "Edition",
    "Evidence",
    "Hydrography",
    "InterpretationBlock",
    "InterpretationRun",
    "LabelPlate",
    "LabelSheet",
    "ModelComparison",
    "ModelDeed",
    "ModelScore",
    "MonitoredArea",
    "ObservationMask",
    "Patch",
    "PatchReview",
    "PieceAuthor",
    "RegistrationCheck",
    "Restoration",
    "SampleSet",
    "Scene",
    "Subsidence",
    "TerritoryOverride",
    "TrainedModel",
    "Training",
]
