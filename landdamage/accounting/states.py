"""The alphabet of the books: states of ground, flows between two years, decisions, restoration kinds.

Records and doors store the codes (text); the bodies compute with the numbers.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import Final, Literal

Kind = Literal["excavation", "occupation", "subsidence"]
KINDS: Final[tuple[Kind, ...]] = ("excavation", "occupation", "subsidence")


class State(IntEnum):
    """What the book believes about a piece of ground, or what a year's imagery shows of it."""

    NOOBS = -1  # label only: not observed
    UNKNOWN = 0  # book only: never observed
    VEGETATION = 1
    OTHER = 2  # background and natural water: context
    OPEN_PIT = 10
    PIT_WATER = 11
    LIVING_AREA = 12
    INDUSTRIAL_SQUARE = 13
    STOCKPILE = 14
    TAILINGS_POND = 15
    SUBSIDENCE = 16
    RESTORED_EXCAVATION = 20
    RESTORED_OCCUPATION = 21
    RESTORED_SUBSIDENCE = 22
    OUTSIDE = 30  # book only: left the monitored area (flow ``exit``)

    @property
    def code(self) -> str:
        """The stored text, e.g. ``open_pit``."""
        return self.name.lower()

    @classmethod
    def of(cls, code: str) -> State:
        """The state of a stored text.

        Raises:
            KeyError: no such state.
        """
        return cls[code.upper()]


DAMAGE: Final[tuple[State, ...]] = tuple(state for state in State if 10 <= state < 20)
RESTORED: Final[tuple[State, ...]] = tuple(state for state in State if 20 <= state < 30)
KIND_OF: Final = MappingProxyType(
    {
        State.OPEN_PIT: "excavation",
        State.PIT_WATER: "excavation",
        State.LIVING_AREA: "occupation",
        State.INDUSTRIAL_SQUARE: "occupation",
        State.STOCKPILE: "occupation",
        State.TAILINGS_POND: "occupation",
        State.SUBSIDENCE: "subsidence",
    }
)  # the kind of each damage state; every other state has none
RESTORED_OF: Final = MappingProxyType(
    {
        "excavation": State.RESTORED_EXCAVATION,
        "occupation": State.RESTORED_OCCUPATION,
        "subsidence": State.RESTORED_SUBSIDENCE,
    }
)
RESTORED_KIND_OF: Final = MappingProxyType({state: kind for kind, state in RESTORED_OF.items()})


class Flow(StrEnum):
    """What happened to a cell between the book of last year and this year's observation."""

    CARRIED = "carried"  # not observed: the old state stays
    FIRST_SEEN = "first_seen"  # damage on ground never observed before
    PLAIN = "plain"  # no damage before, none now (or restored and still so, or first seen without damage)
    PERSIST = "persist"  # damage stays, same kind
    RECLASS = "reclass"  # damage of one kind became another
    FILTERED = "filtered"  # difference below the mapping unit or the position error: the old state stays
    UNDECIDED = "undecided"  # newly seen damage that nobody has decided yet: the old state stays
    NEW = "new"
    OMISSION = "omission"  # was there before and had been missed
    REJECTED = "rejected"  # seen, but no damage
    PENDING = "pending"  # damage not seen any more, not decided: stays in the stock
    RESTORED = "restored"
    CORRECTED = "corrected"  # was never damage
    EXIT = "exit"  # left the monitored area


class PieceKind(StrEnum):
    """Groups of adjacent cells that are decided together."""

    NEW = "new"  # newly seen damage
    RELEASED = "released"  # damage not seen any more


# A piece's decision is one of these flows; no decision is UNDECIDED (new) or PENDING (released).
DECISIONS: Final = MappingProxyType(
    {
        PieceKind.NEW: (Flow.NEW, Flow.OMISSION, Flow.REJECTED),
        PieceKind.RELEASED: (Flow.PENDING, Flow.RESTORED, Flow.CORRECTED),
    }
)

# BHLX of the standard attribute table; 14 and 50 are additions of this product (only drafts hold undecided cells).
FLOW_EXPORT: Final = MappingProxyType(
    {
        Flow.PERSIST: "10",
        Flow.NEW: "11",
        Flow.FIRST_SEEN: "12",
        Flow.OMISSION: "13",
        Flow.UNDECIDED: "14",
        Flow.RESTORED: "21",
        Flow.CORRECTED: "22",
        Flow.PENDING: "23",
        Flow.RECLASS: "31",
        Flow.CARRIED: "40",
        Flow.EXIT: "50",
    }
)

RestoredKind = Literal[
    "restored_open_pit", "restored_dump", "restored_industrial", "restored_subsidence", "restored_other"
]
# What restored ground is called when nothing else was recorded; camps and tailings ponds have no kind of their own.
RESTORED_KIND_DEFAULT: Final[MappingProxyType[State, RestoredKind]] = MappingProxyType(
    {
        State.OPEN_PIT: "restored_open_pit",
        State.PIT_WATER: "restored_open_pit",
        State.STOCKPILE: "restored_dump",
        State.INDUSTRIAL_SQUARE: "restored_industrial",
        State.LIVING_AREA: "restored_other",
        State.TAILINGS_POND: "restored_other",
        State.SUBSIDENCE: "restored_subsidence",
    }
)

NAMES: Final = MappingProxyType(
    {
        "noobs": ("未观测", "Not observed"),
        "unknown": ("从未观测", "Never observed"),
        "vegetation": ("植被", "Vegetation"),
        "other": ("其他", "Other"),
        "open_pit": ("露天采场", "Open pit"),
        "pit_water": ("采坑积水", "Pit water"),
        "living_area": ("生活区", "Living area"),
        "industrial_square": ("工业广场", "Industrial square"),
        "stockpile": ("堆放场", "Stockpile"),
        "tailings_pond": ("尾矿库", "Tailings pond"),
        "subsidence": ("地面塌陷", "Subsidence"),
        "restored_excavation": ("已治理(挖损)", "Restored (excavation)"),
        "restored_occupation": ("已治理(压占)", "Restored (occupation)"),
        "outside": ("移出监测区", "Left the monitored area"),
        "carried": ("沿用(未观测)", "Carried (not observed)"),
        "first_seen": ("首次观测", "First seen"),
        "plain": ("无损毁", "No damage"),
        "persist": ("持续", "Persistent"),
        "reclass": ("类型转换", "Reclassified"),
        "filtered": ("未达上图标准", "Below the mapping unit"),
        "undecided": ("待定", "Undecided"),
        "new": ("新增", "New"),
        "omission": ("补录(漏判)", "Omission"),
        "rejected": ("驳回", "Rejected"),
        "pending": ("待核", "Pending"),
        "restored": ("治理", "Restored"),
        "corrected": ("更正(误判)", "Corrected"),
        "exit": ("移出监测区", "Left the monitored area"),
        "restored_open_pit": ("治理露天采场", "Restored open pit"),
        "restored_dump": ("治理废石堆放场", "Restored dump"),
        "restored_industrial": ("治理工业广场", "Restored industrial square"),
        "restored_subsidence": ("治理塌陷", "Restored subsidence"),
        "restored_other": ("其他治理", "Other restoration"),
    }
)  # zh, en of every code of states, flows and restoration kinds
