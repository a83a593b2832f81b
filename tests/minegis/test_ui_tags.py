"""What templates make of numbers, times and codes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.test import RequestFactory
from django.utils import translation

from minegis.errors import Finding
from minegis.templatetags import ui

HECTARE = 10**8  # cm²


@pytest.mark.parametrize(
    ("cm2", "hm2", "mu"),
    [
        (None, "—", "—"),  # not observed
        (0, "0.00", "0.0"),  # a true zero
        (1, "<0.01", "<0.1"),  # something, below half a unit
        (HECTARE, "1.00", "15.0"),
        (123_456 * HECTARE, "123,456.00", "1,851,840.0"),
    ],
)
def test_areas(cm2: int | None, hm2: str, mu: str) -> None:
    assert (ui.hm2(cm2), ui.mu(cm2)) == (hm2, mu)


@pytest.mark.parametrize(
    ("cm2", "text"), [(None, "—"), (0, "0.00"), (HECTARE, "+1.00"), (-HECTARE, "−1.00"), (-1, "−<0.01")]
)
def test_change_carries_its_sign(cm2: int | None, text: str) -> None:
    assert ui.change(cm2) == text


def test_shares_and_sizes() -> None:
    assert [ui.percent(0.456), ui.percent(None), ui.css_percent(1.7), ui.css_percent(0.125)] == [
        "46 %", "—", "100.00%", "12.50%",
    ]  # fmt: skip
    assert [ui.file_size(n) for n in (None, 1536, 5 * 2**20, 3 * 2**30)] == ["—", "2 KB", "5.0 MB", "3.0 GB"]


def test_spans_in_both_languages() -> None:
    start = datetime(2023, 7, 1, tzinfo=UTC)
    spans = [timedelta(seconds=7), timedelta(seconds=125), timedelta(hours=2, minutes=3)]
    with translation.override("en"):
        assert [ui.elapsed(start, start + span) for span in spans] == ["7 s", "2 min 05 s", "2 h 03 min"]
    with translation.override("zh-hans"):
        assert ui.elapsed(start, start + spans[1]) == "2 分 05 秒"
    assert ui.elapsed(None) == "—"


def test_findings_and_codes_in_both_languages() -> None:
    finding = Finding("E-MOD-04", values={"value": "N"}).as_dict()
    with translation.override("en"):
        assert ui.finding_text(finding) == ui.code_text("E-MOD-04", {"value": "N"})
        assert "band N" in ui.finding_text(finding)
    with translation.override("zh-hans"):
        assert ui.finding_hint(finding) == ui.code_hint("E-MOD-04", {"value": "N"}) != ""
    assert ui.code_text("", {}) == ""


def test_column_head_turns_its_order_round_and_forgets_the_page() -> None:
    request = RequestFactory().get("/scenes/?sort=date&page=3&state=ready")
    head = ui.sort_header({"request": request}, "date", "Acquired")
    assert head["direction"] == "ascending"
    assert head["url"] == "?sort=-date&state=ready"
    assert ui.sort_header({"request": request}, "name", "File")["direction"] == "none"
