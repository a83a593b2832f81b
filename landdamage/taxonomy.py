"""The land-cover classes, damage kinds, colours and codes: the only place they are written.

Legend, tiles, documents, workbook and API all read this module. A *class* is what the network sees on the image;
the *damage kind* is derived from it, never predicted.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

DamageKindCode = Literal["excavation", "occupation", "subsidence", "none"]
WaterOrigin = Literal["pit_water", "tailings_water", "natural", "unknown"]
Hatch = Literal["none", "dots", "diagonal", "cross"]

IGNORE = 255  # label rasters: not observed (nodata, cloud, outside the survey)


@dataclass(frozen=True, slots=True)
class LandClass:
    """One land-cover class as stored on disk, in the database and in every legend."""

    id: int
    code: str
    zh: str
    en: str
    colour: str  # sRGB hex, Okabe-Ito set, distinguishable for colour-blind readers
    damage_kind: DamageKindCode
    export_code: str  # two digits for attribute tables (field DWDM)
    hatch: Hatch = "none"  # second cue beside colour
    help_zh: str = ""
    help_en: str = ""

    @property
    def rgb(self) -> tuple[int, int, int]:
        """The colour as three integers 0-255."""
        return (int(self.colour[1:3], 16), int(self.colour[3:5], 16), int(self.colour[5:7], 16))


@dataclass(frozen=True, slots=True)
class DamageKind:
    """A kind of land damage (TD/T 1031 wording)."""

    code: DamageKindCode
    zh: str
    en: str
    export_code: str


CLASSES: tuple[LandClass, ...] = (
    LandClass(
        0,
        "background",
        "背景/其他",
        "Background",
        "#8C8C8C",
        "none",
        "00",
        help_zh="其他地物(裸岩、荒漠、积雪)",
        help_en="Everything else: bare rock, desert, snow",
    ),
    LandClass(
        1,
        "vegetation",
        "植被",
        "Vegetation",
        "#009E73",
        "none",
        "01",
        help_zh="浅绿至深绿，绒状纹理",
        help_en="Light to dark green, velvety texture",
    ),
    LandClass(
        2,
        "water",
        "水域",
        "Water",
        "#0072B2",
        "none",
        "02",
        help_zh="蓝至墨绿，形状不定；采坑积水属挖损",
        help_en="Blue to dark green, any shape; pit water is excavation",
    ),
    LandClass(
        3,
        "living_area",
        "生活区",
        "Living area",
        "#F0E442",
        "occupation",
        "03",
        help_zh="密集规则的房屋、道路与绿化",
        help_en="Compact regular roofs, roads, planted green",
    ),
    LandClass(
        4,
        "industrial_square",
        "工业广场",
        "Industrial square",
        "#CC79A7",
        "occupation",
        "04",
        help_zh="矩形布局，混凝土地面，蓝色或亮灰屋顶",
        help_en="Rectangular layout, concrete, blue or bright grey roofs",
    ),
    LandClass(
        5,
        "stockpile",
        "堆放场",
        "Stockpile",
        "#E69F00",
        "occupation",
        "05",
        "dots",
        help_zh="隆起，圆形、椭圆或扇形，灰色",
        help_en="Raised, round, elliptic or fan-shaped, grey",
    ),
    LandClass(
        6,
        "tailings_pond",
        "尾矿库",
        "Tailings pond",
        "#56B4E9",
        "occupation",
        "06",
        "diagonal",
        help_zh="坝体平直，水色浅淡至自然",
        help_en="Straight dam line, pale to natural water tone",
    ),
    LandClass(
        7,
        "open_pit",
        "露天采场",
        "Open pit",
        "#D55E00",
        "excavation",
        "07",
        help_zh="负地形，有台阶，边界明亮不规则",
        help_en="Negative relief, benches, bright irregular outline",
    ),
)

# Too rare to train: drawn by hand, never a network output.
SUBSIDENCE = LandClass(8, "subsidence", "地面塌陷", "Subsidence", "#000000", "subsidence", "08", "cross")

NETWORK_CLASS_COUNT = len(CLASSES)
ALL_CLASSES: tuple[LandClass, ...] = (*CLASSES, SUBSIDENCE)
BY_ID = MappingProxyType({c.id: c for c in ALL_CLASSES})
BY_CODE = MappingProxyType({c.code: c for c in ALL_CLASSES})
FOREGROUND_IDS: tuple[int, ...] = tuple(c.id for c in CLASSES if c.id != 0)

DAMAGE_KINDS: tuple[DamageKind, ...] = (
    DamageKind("excavation", "挖损", "Excavation", "01"),
    DamageKind("occupation", "压占", "Occupation", "02"),
    DamageKind("subsidence", "塌陷", "Subsidence", "03"),
    DamageKind("none", "非损毁", "No damage", "00"),
)
DAMAGE_KIND_BY_CODE = MappingProxyType({k.code: k for k in DAMAGE_KINDS})

# A point has exactly one state; where polygons overlap the earlier entry wins (manual polygons stand above all).
PRECEDENCE: tuple[str, ...] = (
    "tailings_pond",
    "open_pit",
    "stockpile",
    "industrial_square",
    "living_area",
    "water",
    "subsidence",
    "vegetation",
    "background",
)

# On an image what lies on top is seen: water in a pit is water, whatever the books make of it. Training labels overlap
# in this order; ``subsidence`` is no network class and counts as unsure.
LABEL_PRECEDENCE: tuple[str, ...] = (
    "tailings_pond",
    "water",
    "open_pit",
    "stockpile",
    "industrial_square",
    "living_area",
    "subsidence",
    "vegetation",
    "background",
)


def damage_kind(class_code: str, water_origin: WaterOrigin | None = None) -> DamageKindCode:
    """Return the damage kind of a class.

    Water is damage only when it is mine water: ``pit_water`` counts as excavation, ``tailings_water`` as occupation,
    a river or a pond of unknown origin as no damage.

    Raises:
        KeyError: ``class_code`` is not in the vocabulary.
    """
    if class_code == "water":
        if water_origin == "pit_water":
            return "excavation"
        if water_origin == "tailings_water":
            return "occupation"
        return "none"
    return BY_CODE[class_code].damage_kind


@dataclass(frozen=True, slots=True)
class Outline:
    """What is drawn round ground that changed, over the class colours: a colour and, as second cue, a dash pattern."""

    colour: str
    dash: str = ""  # SVG stroke-dasharray; empty is a solid line


NEW_OUTLINE = Outline("#D0006F")
RESTORED_OUTLINE = Outline("#1B7837", "7 4")
PENDING_OUTLINE = Outline("#6A3D9A", "1.5 3.5")
UNOBSERVED_COLOUR = "#BDBDBD"  # with a 45 degree hatch

# By the codes of ``accounting.states.Flow``; what is missing here has no outline of its own.
OUTLINE_OF_FLOW = MappingProxyType(
    {
        "new": NEW_OUTLINE,
        "first_seen": Outline("#D0006F", "9 3"),
        "omission": Outline("#D0006F", "9 3 2 3"),
        "undecided": Outline("#D0006F", "1.5 3.5"),
        "restored": RESTORED_OUTLINE,
        "corrected": Outline("#1B7837", "2 4"),
        "pending": PENDING_OUTLINE,
    }
)
