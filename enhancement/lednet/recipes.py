"""How a shipped LEDNet is trained."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from types import MappingProxyType
from typing import Any

from enhancement.lednet.pairs import Mixture


@dataclass(frozen=True, slots=True)
class Stage:
    """Part of a run with one size of crops, until ``end`` (share of the run)."""

    end: float
    side: int
    batch: int


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything a training needs to be repeated.

    Attributes:
        model: name of the weights.
        size: of the network, "T", "S" or "B".
        stages: small crops first.
        steps: of the optimiser.
        learning_rate: peak.
        perceptual: kind of the perceptual loss, see :func:`enhancement.lednet.losses.perceptual`.
        mixture: of pairs.
        switches: of the network.
        seed: of weights and pairs.
        report_every: steps between two validations.
        trained_on, limits: for the card.
    """

    model: str
    size: str
    stages: tuple[Stage, ...]
    steps: int
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    warmup: float = 0.02
    perceptual: str = "squeezenet"
    mixture: Mixture = field(default_factory=Mixture)
    switches: dict[str, Any] = field(default_factory=dict)
    seed: int = 1
    report_every: int = 500
    bf16: bool = False
    trained_on: str = (
        "photographs (Urban100, BSDS500) and a driven video degraded by enhancement.lednet.degradation, "
        "and real pairs of indoor scenes at two exposures (LOL)"
    )
    limits: str = (
        "no footage of a mine at night was seen; real darkness only indoors and of 13 pairs; motion blur beyond 16 "
        "pixels and what lies behind opaque dirt are not restored"
    )

    def stage(self, progress: float) -> Stage:
        """The stage at a share 0-1 of the run."""
        return next((stage for stage in self.stages if progress < stage.end), self.stages[-1])

    def as_dict(self) -> dict[str, Any]:
        """For a card."""
        return asdict(self)


WIDE = (Stage(0.8, 256, 16), Stage(1.0, 384, 8))
CODED = Mixture(chances=replace(Mixture().chances, reach=(0.5, 12.0), h264=0.5))
RECIPES = MappingProxyType(
    {
        # For one thread of a CPU: a step takes 0.3 s at first, then 0.7, at last 1.2.
        "t": Recipe("lednet-t", "T", (Stage(0.3, 64, 8), Stage(0.7, 96, 8), Stage(1.0, 144, 6)), steps=10000),
        # For a GPU, as the models' notes have it: crops of 256, of 384 in the last fifth.
        "t-gpu": Recipe("lednet-t", "T", WIDE, steps=100000, mixture=CODED, bf16=True),
        "s": Recipe("lednet-s", "S", WIDE, steps=300000, mixture=CODED, learning_rate=2e-4, bf16=True),
    }
)
