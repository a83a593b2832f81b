"""What commands without Django say on a terminal: its language, and a fault as one line. No Django here."""

from __future__ import annotations

import os

from minegis.errors import Finding, Language, hint, message

_SEVERITY = {"zh": {"warn": "警告", "error": "错误"}, "en": {"warn": "warning", "error": "error"}}


def default_language(environ: dict[str, str] | None = None) -> Language:
    """Chinese when the locale of the terminal says so, else English."""
    env = os.environ if environ is None else environ
    locale = env.get("LC_ALL") or env.get("LC_MESSAGES") or env.get("LANG") or ""
    return "zh" if locale.lower().startswith("zh") else "en"


def finding_line(finding: Finding, language: Language) -> str:
    """Severity, code, message and remedy of a fault."""
    text = message(finding.code, language, **finding.values)
    remedy = hint(finding.code, language, **finding.values)
    return f"{_SEVERITY[language][finding.severity]} {finding.code}: {text}" + (f" ({remedy})" if remedy else "")
