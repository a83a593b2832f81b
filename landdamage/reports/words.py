"""The words of the report's tables in both languages: vocabularies that no other module of the bodies holds."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final, Literal

from landdamage import taxonomy
from landdamage.accounting.states import NAMES

Language = Literal["zh", "en"]

WORDS: Final = MappingProxyType(
    {
        "coal": ("煤", "Coal"),
        "metal": ("金属", "Metal"),
        "non_metal": ("非金属", "Non-metal"),
        "geothermal": ("地热", "Geothermal"),
        "mineral_water": ("矿泉水", "Mineral water"),
        "method.open_pit": ("露天", "Open pit"),
        "method.underground": ("地下", "Underground"),
        "method.combined": ("露天+地下", "Combined"),
        "method.well": ("钻井", "Well"),
        "active": ("在采", "Active"),
        "suspended": ("停采", "Suspended"),
        "closed": ("闭坑", "Closed"),
        "abandoned_legacy": ("历史遗留", "Abandoned (legacy)"),
        "unlicensed": ("无证", "Unlicensed"),
        "mineral.other": ("其他", "Other"),
        "restored_subsidence_ground": ("已治理(塌陷)", "Restored (subsidence)"),
        "restored_ground": ("已治理", "Restored"),
        "engineered": ("工程治理", "Engineered"),
        "natural": ("自然恢复", "Natural recovery"),
        "unassigned": ("无主/待核", "Unassigned"),
        "total": ("合计", "Total"),
        "subtotal": ("小计", "Subtotal"),
        "draft": ("草稿", "Draft"),
        "frozen": ("冻结", "Frozen"),
        "published": ("已发布", "Published"),
        "superseded": ("已替代", "Superseded"),
        "withdrawn": ("已撤回", "Withdrawn"),
    }
)

# GB/T 21010-2017 classes that restored mining land is usually given back to.
LAND_USE: Final = MappingProxyType(
    {
        "01": ("耕地", "Cropland"),
        "02": ("园地", "Orchard"),
        "03": ("林地", "Woodland"),
        "04": ("草地", "Grassland"),
        "0602": ("采矿用地", "Mining land"),
        "06": ("工矿仓储用地", "Industrial, mining and storage land"),
        "07": ("住宅用地", "Residential land"),
        "08": ("公共管理与公共服务用地", "Public land"),
        "10": ("交通运输用地", "Transport land"),
        "11": ("水域及水利设施用地", "Water and water works"),
        "12": ("其他土地", "Other land"),
        "water": ("水域", "Water"),
    }
)


def pick(pair: tuple[str, str], language: Language) -> str:
    """The text of a (zh, en) pair in one language."""
    return pair[0] if language == "zh" else pair[1]


def word(code: str, language: Language, prefix: str = "") -> str:
    """The name of a code; ``prefix`` where a code means different things ("method.open_pit").

    A code without a name is shown as it is, so that data from outside is never lost.
    """
    pair = WORDS.get(f"{prefix}{code}") or WORDS.get(code) or NAMES.get(code)
    return pick(pair, language) if pair else code


def kind_name(kind: str, language: Language) -> str:
    """The name of a damage kind."""
    found = taxonomy.DAMAGE_KIND_BY_CODE[kind]  # type: ignore[index]
    return found.zh if language == "zh" else found.en


def land_use(code: str, language: Language) -> str:
    """A land-use code with its name, e.g. ``0404 草地``; the longest known prefix names it."""
    pair = next((LAND_USE[code[:n]] for n in (4, 2, len(code)) if code[:n] in LAND_USE), None)
    if pair is None or code == "water":
        return pick(pair, language) if pair else code
    return f"{code} {pick(pair, language)}"
