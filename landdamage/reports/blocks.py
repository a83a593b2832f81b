"""The structured document: sections made of blocks, which the PDF and the Word writer render alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from landdamage.reports.charts import Chart
from landdamage.reports.data import EditionFacts
from landdamage.reports.table import Table
from landdamage.reports.words import Language

# Before and after PNG of a piece, either of them None where there is no image.
Chips = Callable[[int], tuple[bytes | None, bytes | None]]


@dataclass(frozen=True)
class Paragraph:
    """Running text; ``warning`` puts it in a box."""

    text: str
    warning: bool = False


@dataclass(frozen=True)
class Heading:
    """A heading within a section."""

    text: str


@dataclass(frozen=True)
class Bullets:
    """A list of short texts."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Figures:
    """The numbers at the top: (name, value, unit)."""

    items: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class TableBlock:
    """A table, or the columns of it that matter here.

    Attributes:
        table: with the rows to show.
        columns: keys of the columns to show; empty for all.
        wide: whether it needs a landscape page; a section of such tables only is set on landscape pages.
        caption: title; the table's own where empty.
    """

    table: Table
    columns: tuple[str, ...] = ()
    wide: bool = False
    caption: str = ""
    numbered: bool = True

    @property
    def indexes(self) -> list[int]:
        """Positions of the columns to show."""
        return [self.table.index[key] for key in self.columns] if self.columns else list(range(len(self.table.columns)))


@dataclass(frozen=True)
class ChartBlock:
    """A chart."""

    chart: Chart


@dataclass(frozen=True)
class Picture:
    """A map made elsewhere; a raster, because a hundred thousand outlines would choke a page."""

    caption: str
    png: bytes


@dataclass(frozen=True)
class Pair:
    """Two pictures of one place, before and after; None where there is no image."""

    caption: str
    before: bytes | None
    after: bytes | None
    labels: tuple[str, str]


Block = Paragraph | Heading | Bullets | Figures | TableBlock | ChartBlock | Picture | Pair


@dataclass(frozen=True)
class Section:
    """A numbered section; an annex has letters for numbers."""

    number: str
    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Document:
    """A report before it is rendered."""

    title: str
    subtitle: str
    facts: tuple[tuple[str, str], ...]
    edition: EditionFacts
    language: Language
    sections: Sequence[Section] = field(default_factory=tuple)
