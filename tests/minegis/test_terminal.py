"""What commands say on a terminal."""

from __future__ import annotations

from minegis.errors import Finding
from minegis.terminal import default_language, finding_line


def test_the_language_follows_the_locale() -> None:
    assert default_language({"LANG": "zh_CN.UTF-8"}) == "zh"
    assert default_language({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}) == "en"
    assert default_language({}) == "en"


def test_a_fault_is_one_line_with_its_remedy() -> None:
    finding = Finding("E-SET-28", values={"value": "val"})
    assert finding_line(finding, "en").startswith("error E-SET-28: Set val ended up")
    assert finding_line(finding, "zh").startswith("错误 E-SET-28: 集合 val")
    assert finding_line(finding, "en").endswith("label more regions)")
    near = Finding("E-SET-17", values={"value": 3, "distance": 9})
    assert finding_line(near, "en").startswith("warning E-SET-17: 3 tiles")
