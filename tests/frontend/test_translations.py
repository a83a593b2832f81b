"""Every text has its Chinese translation, and the compiled catalogue is that of the source."""

from __future__ import annotations

import re
from pathlib import Path

import polib
import pytest
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parents[2]
CATALOGUE = ROOT / "frontend" / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.po"
SOURCES = [path for top in ("minegis", "landdamage", "enhancement") for path in (ROOT / top).rglob("*.py")]
TEMPLATES = list((ROOT / "frontend" / "templates").rglob("*.html"))
# What templatize makes of {% translate %} and {% blocktranslate %}, and the calls in Python modules.
CALL = re.compile(r"""(?<![\w.])(n?p?gettext(?:_lazy|_noop)?|_)\(\s*(?:u)?("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')""")


@pytest.fixture(scope="module")
def catalogue() -> polib.POFile:
    return polib.pofile(str(CATALOGUE))


def test_every_text_is_translated(catalogue: polib.POFile) -> None:
    assert [entry.msgid for entry in catalogue if not entry.translated()] == []
    assert [entry.msgid for entry in catalogue.fuzzy_entries()] == []
    assert catalogue.obsolete_entries() == []


def test_placeholders_survive_translation(catalogue: polib.POFile) -> None:
    def holes(text: str) -> list[str]:
        return sorted(re.findall(r"%\(\w+\)0?\d*[sd]|\{\w+\}", text))

    for entry in catalogue:
        for text in [entry.msgstr] if not entry.msgid_plural else entry.msgstr_plural.values():
            assert holes(text) == holes(entry.msgid_plural or entry.msgid), entry.msgid


def test_compiled_catalogue_is_up_to_date(catalogue: polib.POFile) -> None:
    compiled = polib.mofile(str(CATALOGUE.with_suffix(".mo")))
    assert {_key(e): _value(e) for e in compiled} == {_key(e): _value(e) for e in catalogue}


def _key(entry: polib.POEntry) -> tuple[str, str]:
    return entry.msgctxt or "", entry.msgid


def _value(entry: polib.POEntry) -> list[str]:
    return list(entry.msgstr_plural.values()) if entry.msgid_plural else [entry.msgstr]


@pytest.mark.parametrize("path", SOURCES + TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_marked_text_is_in_the_catalogue(path: Path, catalogue: polib.POFile) -> None:
    text = path.read_text()
    if path.suffix == ".html":
        text = templatize(text)
    elif "gettext" not in text:
        return
    known = {entry.msgid for entry in catalogue} | {entry.msgctxt for entry in catalogue if entry.msgctxt}
    marked = [_literal(match.group(2)) for match in CALL.finditer(text)]
    assert [one for one in marked if one not in known] == []


def _literal(source: str) -> str:
    return source[1:-1].replace('\\"', '"').replace("\\'", "'").replace("\\n", "\n")
