"""Template vocabulary of the platform: icons, areas, codes, sortable column heads."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django import template
from django.http import QueryDict
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext

from minegis import units
from minegis.errors import TABLE, hint, message
from minegis.problems import request_language

register = template.Library()
DASH = "—"


@register.simple_tag
def icon(name: str, extra: str = "") -> SafeString:
    """An icon of the sprite, drawn in the colour of the text; decoration only, so hidden from screen readers."""
    sheet = static("minegis/icons.svg")
    return format_html('<svg class="icon {}" aria-hidden="true"><use href="{}#{}"></use></svg>', extra, sheet, name)


def _area(cm2: int | None, shown: Any, smallest: str) -> str:
    if cm2 is None:
        return DASH
    if cm2 and not shown:
        return f"<{smallest}" if cm2 > 0 else f">-{smallest}"
    return f"{shown:,}"


@register.filter
def hm2(cm2: int | None) -> str:
    """Hectares with two decimals from cm²: "<0.01" below half a unit, a dash where nothing was observed."""
    return _area(cm2, None if cm2 is None else units.to_hm2(cm2), "0.01")


@register.filter
def mu(cm2: int | None) -> str:
    """Mu with one decimal from cm²."""
    return _area(cm2, None if cm2 is None else units.to_mu(cm2), "0.1")


@register.filter
def km(metres: float | None) -> str:
    """Kilometres with two decimals from metres."""
    return DASH if metres is None else f"{metres / 1000:,.2f}"


@register.filter
def change(cm2: int | None) -> str:
    """A difference in hectares with its sign, U+2212 for minus."""
    if cm2 is None:
        return DASH
    text = hm2(abs(cm2))
    return text if cm2 == 0 else f"{'+' if cm2 > 0 else '−'}{text}"


@register.filter
def percent(share: float | None, digits: int = 0) -> str:
    """A share 0-1 as a percentage."""
    return DASH if share is None else f"{share * 100:.{digits}f} %"


@register.filter
def points(share: Any) -> str:
    """A share 0-1 as percent with one decimal, without its sign; a dash where there is none."""
    return DASH if not isinstance(share, int | float) else f"{share * 100:.1f}"


@register.filter
def signed_points(share: Any) -> str:
    """A difference of shares in points of percent with its sign, U+2212 for minus."""
    if not isinstance(share, int | float):
        return DASH
    text = f"{abs(share) * 100:.1f}"
    return text if float(text) == 0 else f"{'+' if share > 0 else '−'}{text}"


@register.filter
def css_percent(share: float) -> str:
    """A share 0-1 for a style sheet, whatever the language's decimal sign."""
    return f"{max(0.0, min(1.0, share)) * 100:.2f}%"


@register.filter
def file_size(size: int | None) -> str:
    """Bytes as KB, MB or GB (powers of 1024)."""
    if size is None:
        return DASH
    for unit, power in (("GB", 30), ("MB", 20)):
        if size >= 2**power:
            return f"{size / 2**power:,.1f} {unit}"
    return f"{size / 1024:,.0f} KB"


@register.filter
def clock(seconds: float | None) -> str:
    """A moment of a clip as minutes, seconds and hundredths ("1:02.48"), with hours where it has any."""
    if seconds is None:
        return DASH
    hundredths = round(max(0.0, seconds) * 100)
    minutes, rest = divmod(hundredths, 6000)
    hours, minutes = divmod(minutes, 60)
    head = f"{hours}:{minutes:02d}" if hours else str(minutes)
    return f"{head}:{rest // 100:02d}.{rest % 100:02d}"


@register.filter
def elapsed(start: datetime | None, end: datetime | None = None) -> str:
    """The time from ``start`` to ``end`` (now if it has not ended): "2 min 05 s"."""
    if start is None:
        return DASH
    return spell((end or timezone.now()) - start)


def spell(span: timedelta) -> str:
    """A duration in hours and minutes, minutes and seconds, or seconds."""
    seconds = max(0, round(span.total_seconds()))
    if seconds >= 3600:
        return gettext("%(h)d h %(m)02d min") % {"h": seconds // 3600, "m": seconds % 3600 // 60}
    if seconds >= 60:
        return gettext("%(m)d min %(s)02d s") % {"m": seconds // 60, "s": seconds % 60}
    return gettext("%(s)d s") % {"s": seconds}


@register.filter
def counted_patches(count: int) -> str:
    """A number of patches in words."""
    return ngettext("%(n)s patch", "%(n)s patches", count) % {"n": f"{count:,}"}


@register.filter
def finding_text(finding: dict[str, Any]) -> str:
    """The message of a stored finding in the language of the request."""
    return str(finding.get(f"message_{request_language()}", ""))


@register.filter
def finding_hint(finding: dict[str, Any]) -> str:
    """The remedy of a stored finding in the language of the request."""
    return str(finding.get(f"hint_{request_language()}", ""))


@register.simple_tag
def code_text(code: str, values: dict[str, Any]) -> str:
    """The message of an error code in the language of the request."""
    return message(code, request_language(), **values) if code in TABLE else ""


@register.simple_tag
def code_hint(code: str, values: dict[str, Any]) -> str:
    """The remedy of an error code in the language of the request."""
    return hint(code, request_language(), **values) if code in TABLE else ""


@register.inclusion_tag("partials/sort_header.html", takes_context=True)
def sort_header(context: dict[str, Any], field: str, label: str, kind: str = "") -> dict[str, Any]:
    """A column head that sorts by a field, and the other way at the second click."""
    query: QueryDict = context["request"].GET.copy()
    now = query.get("sort") or context.get("sort", "")
    query["sort"] = f"-{field}" if now == field else field
    query.pop("page", None)
    direction = {field: "ascending", f"-{field}": "descending"}.get(now, "none")
    return {"label": label, "url": f"?{query.urlencode()}", "direction": direction, "kind": kind}
