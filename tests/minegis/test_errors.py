"""The one table of errors."""

from __future__ import annotations

import re

import pytest

from minegis import errors

PLACEHOLDER = re.compile(r"\{(\w+)\}")


@pytest.mark.parametrize("code", sorted(errors.TABLE))
def test_both_languages_say_the_same(code: str) -> None:
    entry = errors.TABLE[code]
    assert re.search(r"[一-鿿]", entry.zh), "the Chinese message is not Chinese"
    assert not re.search(r"[一-鿿]", entry.en + entry.hint_en), "Chinese in the English text"
    assert set(PLACEHOLDER.findall(entry.zh)) == set(PLACEHOLDER.findall(entry.en))
    assert bool(entry.hint_zh) == bool(entry.hint_en)
    assert 400 <= entry.status < 600


def test_a_raised_error_carries_code_status_and_both_messages() -> None:
    error = errors.UploadError("E-UPL-03", scene="abc")
    assert (error.code, error.status) == ("E-UPL-03", 422)
    assert "abc" in error.message("zh")
    assert "abc" in error.message("en")


def test_a_code_outside_the_table_cannot_be_raised() -> None:
    with pytest.raises(KeyError):
        errors.SceneError("E-XXX-99")
