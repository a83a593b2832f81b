"""Scenes in, class rasters and patches with areas and confidence out."""

from landdamage.interpretation.choice import choose_engine
from landdamage.interpretation.eager import EagerEngine
from landdamage.interpretation.engine import Engine, load_engine
from landdamage.interpretation.models import ModelCard, choose_model
from landdamage.interpretation.result import Interpretation, interpret_scene

__all__ = [
    "EagerEngine",
    "Engine",
    "Interpretation",
    "ModelCard",
    "choose_engine",
    "choose_model",
    "interpret_scene",
    "load_engine",
]
