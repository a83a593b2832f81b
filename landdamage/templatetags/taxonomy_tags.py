"""Names and swatches of land-cover classes and damage kinds, from the one table."""

from __future__ import annotations

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from landdamage.taxonomy import DAMAGE_KIND_BY_CODE, DamageKind, LandClass
from minegis.problems import request_language

register = template.Library()


@register.filter
def name(entry: LandClass | DamageKind) -> str:
    """The name of a class or a damage kind in the language of the request."""
    return entry.zh if request_language() == "zh" else entry.en


@register.filter
def kind_name(code: str) -> str:
    """The name of a damage kind by its code."""
    return name(DAMAGE_KIND_BY_CODE[code])  # type: ignore[index]


@register.filter
def help_text(land_class: LandClass) -> str:
    """What the class looks like on an image."""
    return land_class.help_zh if request_language() == "zh" else land_class.help_en


@register.simple_tag
def swatch(land_class: LandClass) -> SafeString:
    """Colour and hatch of a class."""
    return format_html(
        '<span class="swatch" style="--c:{}" data-hatch="{}" aria-hidden="true"></span>',
        land_class.colour,
        land_class.hatch,
    )
