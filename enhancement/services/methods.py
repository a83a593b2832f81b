"""What can be done to a clip: the methods, their parameters as people give them and as rows keep them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from types import MappingProxyType
from typing import Any

from enhancement.dehaze.settings import Settings, preset
from enhancement.lednet.facts import Choice
from enhancement.models import Enhancement
from minegis.errors import EnhancementError, Finding

DEFAULT_PRESET = "standard"
# Where the choices of the night begin; dehazing has none.
NIGHT = MappingProxyType(
    {
        Enhancement.Method.LEDNET.value: Choice(dehaze=False, always=True),
        Enhancement.Method.CHAIN.value: Choice(dehaze=True, always=False),
    }
)
JOB_KIND = MappingProxyType(
    {method: "enhance_night" if method in NIGHT else "enhance" for method in Enhancement.Method.values}
)
CHOICES = tuple(field.name for field in fields(Choice))
_NUMBERS = {"omega", "sky_thresh", "sky_trans", "non_sky_gain", "t0", "eps"}
_WHOLE = {"window_size", "radius"}
_SWITCHES = {"sky_connected", "night_gate", *CHOICES}
_YES, _NO = ("1", "true", "on"), ("0", "false", "off")


def params_of(method: str, preset_name: str, params: Mapping[str, Any]) -> tuple[dict[str, Any], list[Finding]]:
    """All parameters of a method, as rows keep them, from a preset of dehazing and those that differ.

    Raises:
        EnhancementError: E-ENH-02, no such method, preset or parameter, or a value that cannot be.
    """
    if method not in JOB_KIND:
        raise EnhancementError("E-ENH-02", field="method", value=method)
    if method not in NIGHT:
        settings, findings = settings_of(preset_name, params)
        return asdict(settings), findings
    given = {name: _value(name, params[name]) for name in CHOICES if params.get(name) not in ("", None)}
    for name, value in given.items():
        if not isinstance(value, bool):
            raise EnhancementError("E-ENH-02", field=name, value=str(value)[:40])
    rest = {name: value for name, value in params.items() if name not in CHOICES}
    settings, findings = settings_of(preset_name, rest)
    return asdict(settings) | asdict(replace(NIGHT[method], **given)), findings


def settings_of(preset_name: str, params: Mapping[str, Any]) -> tuple[Settings, list[Finding]]:
    """A preset with some parameters replaced, within their ranges; texts of forms are read as numbers.

    Raises:
        EnhancementError: E-ENH-02, no such preset or parameter, or a value that cannot be.
    """
    changes = {name: _value(name, value) for name, value in params.items() if value not in ("", None)}
    return preset(preset_name or DEFAULT_PRESET, **changes).clamped()


def _value(name: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        if name in _NUMBERS:
            return float(value)
        if name in _WHOLE and value != "auto":
            return int(float(value))
    except (ValueError, OverflowError):
        raise EnhancementError("E-ENH-02", field=name, value=value[:40]) from None
    if name in _SWITCHES:
        if value.lower() not in (*_YES, *_NO):
            raise EnhancementError("E-ENH-02", field=name, value=value[:40])
        return value.lower() in _YES
    return value


def settings_from(params: Mapping[str, Any]) -> Settings:
    """The settings of dehazing that a row keeps."""
    known = {field.name for field in fields(Settings)}
    return Settings(**{name: value for name, value in params.items() if name in known})


def choice_from(method: str, params: Mapping[str, Any]) -> Choice | None:
    """The choices of the night that a row keeps; None for dehazing."""
    if method not in NIGHT:
        return None
    return replace(NIGHT[method], **{name: bool(params[name]) for name in CHOICES if name in params})
