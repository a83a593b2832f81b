"""Satellite, sensor, level and date from a scene's file name."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from pathlib import PurePath

# China Centre for Resources Satellite Data and Application, and the natural-resources ministry's SASMAC.
_CRESDA = re.compile(
    r"^(GF1[BCD]?|GF2|GF6|GF7|ZY3(?:0[1-4])?|ZY1[EF]|CB04A)_([A-Z]+\d?)_([EW])(\d+\.\d)_([NS])(\d+\.\d)_(\d{8})"
    r"_(L\d[A-Z]?)(\d{6,13})(?:-([A-Z]+\d?))?"
)
_SASMAC = re.compile(r"^ZY3_(\d\d)a_([a-z]{7})_(\d+)_(\d{8})_(\d{6})_(\d{4})_SASMAC_")
_SENTINEL2 = re.compile(r"^S2[ABC]_MSI(L1C|L2A)_(\d{8})T")
_LANDSAT = re.compile(r"^L[COTEM]0([4-9])_(L\d[A-Z]{2})_\d{6}_(\d{8})_")
_OTHERS = ((re.compile(r"^SV\d"), "SUPERVIEW"), (re.compile(r"^BJ-?2"), "BJ2"), (re.compile(r"^JL-?1"), "JL1"))
_DATE = re.compile(r"(?<!\d)((?:19|20)\d\d)([-_.]?)(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])(?!\d)")


@dataclass(frozen=True, slots=True)
class SceneName:
    """What a file name tells; ``OTHER``, empty or None where it tells nothing."""

    satellite: str = "OTHER"
    sensor: str = ""
    product_level: str = ""
    acquired_on: dt.date | None = None


def parse_name(file_name: str) -> SceneName:
    """Read a scene's file name (a path is reduced to its last part).

    CRESDA names (GF-1/2/6/7, ZY-3, ZY-1, CB04A), SASMAC names of ZY-3, Sentinel-2 and Landsat are understood; of any
    other name only a date yyyymmdd (also with -, _ or . between) is taken.
    """
    name = PurePath(file_name.replace("\\", "/")).name
    if m := _CRESDA.match(name):
        return SceneName(_satellite(m[1]), m[10] or m[2], m[8], _date(m[7]))
    if m := _SASMAC.match(name):
        return SceneName(f"ZY3-{m[1]}", "", "", _date(m[4]))
    if m := _SENTINEL2.match(name):
        return SceneName("SENTINEL2", "MSI", m[1], _date(m[2]))
    if m := _LANDSAT.match(name):
        return SceneName(f"LANDSAT{m[1]}", "", m[2], _date(m[3]))
    satellite = next((known for pattern, known in _OTHERS if pattern.match(name)), "OTHER")
    found = _DATE.search(name)
    return SceneName(satellite, acquired_on=_date(found[1] + found[3] + found[4]) if found else None)


def _satellite(code: str) -> str:
    if code.startswith("ZY3"):
        return f"ZY3-{code[3:] or '01'}"
    return code


def _date(digits: str) -> dt.date | None:
    """A date from yyyymmdd, None where the calendar has no such day."""
    try:
        return dt.date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return None
