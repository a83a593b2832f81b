"""The rules of one year's account: what counts as a difference. An edition stores them to be computed again."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

MMU_M2 = 400.0  # 0.6 mu; the smallest patch of the national surveys for "other" land
MMU_PIXELS = 25  # a patch of fewer coarse pixels is noise


@dataclass(frozen=True, slots=True)
class Rules:
    """Thresholds of the change filter and switches of the account.

    Attributes:
        gsd_before: pixel size in metres of the imagery behind the opening book; None for a first book.
        gsd_now: pixel size in metres of this year's imagery.
        rmse_m: co-registration error between the two years, metres.
        min_area_m2: mapping unit; None for the formula of `mmu_m2`.
        epsilon_m: width below which a difference is a position error; None for the formula of `epsilon`.
        water_mode: "origin" counts water as damage only when it is mine water; "paper" counts all of it as
            excavation, for comparison with the published figures only.
        auto_restore_after: released ground counts as restored after so many consecutive observed years of vegetation;
            0 never restores without a reviewer.
    """

    gsd_before: float | None
    gsd_now: float
    rmse_m: float
    min_area_m2: float | None = None
    epsilon_m: float | None = None
    water_mode: Literal["origin", "paper"] = "origin"
    auto_restore_after: int = 0

    @property
    def coarsest(self) -> float:
        """The larger pixel size of the two years, metres."""
        return max(self.gsd_now, self.gsd_before or 0.0)

    @property
    def epsilon(self) -> float:
        """max(2 · coarsest pixel, 2 · RMSE) in metres: narrower differences are position errors."""
        return max(2 * self.coarsest, 2 * self.rmse_m) if self.epsilon_m is None else self.epsilon_m

    @property
    def mmu_m2(self) -> float:
        """max(400 m², 25 coarsest pixels): 400 m² up to 4 m, 1 600 m² at 8 m."""
        return max(MMU_M2, MMU_PIXELS * self.coarsest**2) if self.min_area_m2 is None else self.min_area_m2

    def as_dict(self) -> dict[str, Any]:
        """What the edition stores: the fields and the thresholds they give."""
        return asdict(self) | {"epsilon": self.epsilon, "mmu_m2": self.mmu_m2}

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Rules:
        """The rules that `as_dict` described."""
        return cls(**{name: stored[name] for name in cls.__slots__ if name in stored})
