"""Codes and columns of the standard attribute table: what an exported file says, and what an imported one may say.

Columns BSM, YSDM, TBBH, TBMJ, DWDM and DWMC follow the style of the land-survey database; the two-digit codes are this
product's own. Beside them stand the national mine-monitoring classes. They have no published digits: GJDM numbers
采场, 中转场地, 固体废弃物, 矿山建筑, 恢复治理 in this order.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from landdamage import taxonomy
from landdamage.accounting.states import KIND_OF, NAMES, RESTORED, State

Theme = Literal["SHTB", "BHTB", "ZLTB", "WGC", "KQFW"]
THEMES: Final = MappingProxyType(
    {
        "SHTB": ("损毁图斑", "Damage patches"),
        "BHTB": ("变化图斑", "Changes"),
        "ZLTB": ("治理图斑", "Restored ground"),
        "WGC": ("未观测范围", "Ground not observed"),
        "KQFW": ("矿区范围", "Mine boundaries"),
    }
)


@dataclass(frozen=True, slots=True)
class Field:
    """A column: ASCII name of at most ten characters, kind (C text, N number), width and decimals, meaning."""

    name: str
    kind: Literal["C", "N"]
    width: int
    decimals: int
    zh: str
    en: str


FIELDS: Final[tuple[Field, ...]] = (
    Field("BSM", "C", 18, 0, "标识码", "Identifier"),
    Field("YSDM", "C", 10, 0, "要素代码", "Feature code"),
    Field("TBBH", "C", 20, 0, "图斑编号", "Patch number"),
    Field("NF", "N", 4, 0, "年份", "Year"),
    Field("BB", "C", 6, 0, "版本", "Edition"),
    Field("KSBH", "C", 20, 0, "矿山编号", "Mine code"),
    Field("KSMC", "C", 80, 0, "矿山名称", "Mine"),
    Field("XKZH", "C", 23, 0, "采矿许可证号", "Licence number"),
    Field("KZLX", "C", 2, 0, "矿种类型", "Mineral kind"),
    Field("KCFS", "C", 2, 0, "开采方式", "Mining method"),
    Field("XZQDM", "C", 12, 0, "行政区代码", "Region code"),
    Field("XZQMC", "C", 60, 0, "行政区名称", "Region"),
    Field("DWDM", "C", 4, 0, "地物类别代码", "Class code"),
    Field("DWMC", "C", 20, 0, "地物类别名称", "Class"),
    Field("GJDM", "C", 2, 0, "国家监测类别代码", "National monitoring class code"),
    Field("GJMC", "C", 20, 0, "国家监测类别名称", "National monitoring class"),
    Field("SHLX", "C", 2, 0, "损毁类型", "Damage kind"),
    Field("BHLX", "C", 2, 0, "变化类型", "Change"),
    Field("QDW", "C", 4, 0, "前时相类别", "Class before"),
    Field("HDW", "C", 4, 0, "后时相类别", "Class seen"),
    Field("ZLLX", "C", 2, 0, "治理类型", "Kind of restoration"),
    Field("TBMJ", "N", 15, 2, "图斑面积(m²)", "Area in m²"),
    Field("MJHM", "N", 12, 4, "面积(公顷)", "Area in hm²"),
    Field("MJMU", "N", 12, 2, "面积(亩)", "Area in mu"),
    Field("MJCM", "N", 18, 0, "面积(平方厘米)", "Exact area in cm²"),
    Field("QSX", "C", 8, 0, "前影像日期", "Date of the imagery before"),
    Field("HSX", "C", 8, 0, "后影像日期", "Date of the imagery"),
    Field("SJY", "C", 30, 0, "数据源", "Sensor"),
    Field("FBL", "N", 6, 2, "分辨率(m)", "Ground sampling distance in m"),
    Field("ZXD", "N", 5, 3, "置信度", "Confidence"),
    Field("JW", "C", 1, 0, "是否界外", "Outside the licence boundary"),
    Field("JYR", "C", 30, 0, "解译人", "Interpreter"),
    Field("JYRQ", "C", 8, 0, "解译日期", "Date of interpretation"),
    Field("SHR", "C", 30, 0, "审核人", "Reviewer"),
    Field("SHRQ", "C", 8, 0, "审核日期", "Date of review"),
    Field("SHZT", "C", 2, 0, "审核状态", "State of review"),
    Field("BZ", "C", 200, 0, "备注", "Note"),
)
CHINESE: Final = frozenset({"KSBH", "KSMC", "XZQMC", "DWMC", "GJMC", "SJY", "JYR", "SHR", "BZ"})  # may hold Chinese
FIELD_NAMES: Final = tuple(field.name for field in FIELDS)

_S = State
# DWDM, QDW, HDW: the classes keep their digits of the taxonomy, book-only states follow from 21 and 97.
STATE_EXPORT: Final = MappingProxyType(
    {
        _S.OTHER: taxonomy.BY_CODE["background"].export_code,
        _S.VEGETATION: taxonomy.BY_CODE["vegetation"].export_code,
        _S.PIT_WATER: taxonomy.BY_CODE["water"].export_code,
        _S.LIVING_AREA: taxonomy.BY_CODE["living_area"].export_code,
        _S.INDUSTRIAL_SQUARE: taxonomy.BY_CODE["industrial_square"].export_code,
        _S.STOCKPILE: taxonomy.BY_CODE["stockpile"].export_code,
        _S.TAILINGS_POND: taxonomy.BY_CODE["tailings_pond"].export_code,
        _S.OPEN_PIT: taxonomy.BY_CODE["open_pit"].export_code,
        _S.SUBSIDENCE: taxonomy.SUBSIDENCE.export_code,
        _S.RESTORED_EXCAVATION: "21",
        _S.RESTORED_OCCUPATION: "22",
        _S.RESTORED_SUBSIDENCE: "23",
        _S.OUTSIDE: "97",
        _S.NOOBS: "98",
        _S.UNKNOWN: "99",
    }
)
STATE_NAMES: Final = MappingProxyType({state: NAMES[state.code] for state in State})  # zh, en

# National mine-monitoring classes. A stockpile goes to solid waste: the books do not know whether it holds ore.
NATIONAL: Final = MappingProxyType(
    {
        _S.OPEN_PIT: ("01", "采场"),
        _S.PIT_WATER: ("01", "采场"),
        _S.STOCKPILE: ("03", "固体废弃物"),
        _S.TAILINGS_POND: ("03", "固体废弃物"),
        _S.LIVING_AREA: ("04", "矿山建筑"),
        _S.INDUSTRIAL_SQUARE: ("04", "矿山建筑"),
        **dict.fromkeys(RESTORED, ("05", "恢复治理")),
    }
)

MINERAL_EXPORT: Final = MappingProxyType(
    {"coal": "01", "metal": "02", "non_metal": "03", "geothermal": "04", "mineral_water": "05", "other": "09"}
)
METHOD_EXPORT: Final = MappingProxyType({"open_pit": "01", "underground": "02", "combined": "03", "well": "04"})
RESTORED_EXPORT: Final = MappingProxyType(
    {
        "restored_open_pit": "01",
        "restored_dump": "02",
        "restored_industrial": "03",
        "restored_subsidence": "04",
        "restored_other": "09",
    }
)


def damage_export(state: State) -> str:
    """SHLX of a state: 01 excavation, 02 occupation, 03 subsidence, 00 none."""
    return taxonomy.DAMAGE_KIND_BY_CODE[KIND_OF.get(state, "none")].export_code  # type: ignore[index]


# ---------------------------------------------------------------------------------------------------------------------
# Reading: what other people's tables call the classes
# ---------------------------------------------------------------------------------------------------------------------
_NAMES_READ: Final[dict[State, tuple[str, ...]]] = {
    _S.OPEN_PIT: ("露天采场", "露天采坑", "采场", "采坑", "露天矿坑", "采矿场", "open pit", "open-pit", "pit"),
    _S.PIT_WATER: ("采坑积水", "矿坑水", "积水坑", "pit water"),
    _S.LIVING_AREA: ("生活区", "办公生活区", "living area", "camp"),
    _S.INDUSTRIAL_SQUARE: ("工业广场", "工业场地", "选矿厂", "industrial square", "industrial site"),
    _S.STOCKPILE: ("堆放场", "废石堆放场", "废石场", "废石堆", "排土场", "矸石堆", "stockpile", "dump", "waste dump"),
    _S.TAILINGS_POND: ("尾矿库", "tailings pond", "tailings"),
    _S.SUBSIDENCE: ("地面塌陷", "塌陷", "塌陷区", "塌陷坑", "采空塌陷", "subsidence"),
    _S.VEGETATION: ("植被", "林地", "草地", "vegetation"),
    _S.OTHER: ("背景", "其他", "背景/其他", "other", "background"),
    _S.RESTORED_EXCAVATION: ("已治理(挖损)", "治理露天采场", "restored pit", "restored open pit"),
    _S.RESTORED_OCCUPATION: ("已治理(压占)", "治理废石堆放场", "治理工业广场", "restored dump"),
    _S.RESTORED_SUBSIDENCE: ("已治理(塌陷)", "治理塌陷", "restored subsidence"),
}
BOOKABLE: Final = tuple(_NAMES_READ)  # states an opening book may hold


def _readable() -> dict[str, State]:
    table = {name.lower(): state for state, names in _NAMES_READ.items() for name in names}
    table |= {state.code: state for state in BOOKABLE}
    digits = {STATE_EXPORT[state]: state for state in BOOKABLE if state is not _S.PIT_WATER}
    return table | digits | {code.lstrip("0") or "0": state for code, state in digits.items()}


READ_AS: Final = MappingProxyType(_readable())  # lower-case text or digits -> state
# What may mean more than one state: people must choose.
AMBIGUOUS: Final = MappingProxyType(
    {
        "固体废弃物": (_S.STOCKPILE, _S.TAILINGS_POND),
        "固体废物": (_S.STOCKPILE, _S.TAILINGS_POND),
        "中转场地": (_S.STOCKPILE, _S.INDUSTRIAL_SQUARE),
        "矿山建筑": (_S.INDUSTRIAL_SQUARE, _S.LIVING_AREA),
        "恢复治理": RESTORED,
        "水域": (_S.PIT_WATER, _S.OTHER),
        "water": (_S.PIT_WATER, _S.OTHER),
        "02": (_S.PIT_WATER, _S.OTHER),
        "2": (_S.PIT_WATER, _S.OTHER),
    }
)
