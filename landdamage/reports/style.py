"""Fonts, colours and hatches of everything that is drawn: charts and map sheets."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Final

from matplotlib import rc_context
from matplotlib.figure import Figure

from landdamage import taxonomy
from landdamage.accounting.states import DAMAGE, KIND_OF, State

FONT = "Noto Sans CJK SC"
INK, GREY, FAINT, ACCENT = "#22303A", "#5F6B73", "#D5DCE0", "#1F4E5F"
NEW, RESTORED, PENDING = (
    outline.colour for outline in (taxonomy.NEW_OUTLINE, taxonomy.RESTORED_OUTLINE, taxonomy.PENDING_OUTLINE)
)
UNOBSERVED = taxonomy.UNOBSERVED_COLOUR
_HATCH: Final = MappingProxyType({"none": "", "dots": "..", "diagonal": "///", "cross": "xx"})
KIND_COLOUR: Final = MappingProxyType({"excavation": "#D55E00", "occupation": "#E69F00", "subsidence": "#7A7A7A"})
KIND_HATCH: Final = MappingProxyType({"excavation": "", "occupation": "..", "subsidence": "xx"})


def _class_code(state: State) -> str:
    return "water" if state is State.PIT_WATER else state.code


COLOUR: Final = MappingProxyType({s.code: taxonomy.BY_CODE[_class_code(s)].colour for s in DAMAGE})
HATCH: Final = MappingProxyType(
    {s.code: "\\\\\\" if s is State.PIT_WATER else _HATCH[taxonomy.BY_CODE[_class_code(s)].hatch] for s in DAMAGE}
)
CLASS_KIND: Final = MappingProxyType({s.code: KIND_OF[s] for s in DAMAGE})

# Type 3 fonts hold the glyphs of a collection (.ttc) as outlines with their Unicode meaning: readable everywhere.
RC: Final[Any] = {
    "font.family": [FONT],
    "font.size": 8.5,
    "pdf.fonttype": 3,
    "svg.fonttype": "path",
    "svg.hashsalt": "minegis",
    "axes.unicode_minus": False,
    "hatch.linewidth": 0.5,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": GREY,
    "xtick.color": INK,
    "ytick.color": INK,
}


def style() -> Any:
    """A context in which figures are made and saved in the report's style."""
    return rc_context(RC)


def new_figure(width_mm: float, height_mm: float) -> Figure:
    """A figure of a paper size; make and save it inside ``style()``."""
    return Figure(figsize=(width_mm / 25.4, height_mm / 25.4))
