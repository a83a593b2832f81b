"""The pace is that of the last minute, and what lay there before counts as nobody's work."""

from __future__ import annotations

from landdamage.interpretation.pace import Pacer


def test_pace_and_time_left_after_a_resume() -> None:
    now = [100.0]
    pacer = Pacer(400.0, clock=lambda: now[0])
    assert pacer.at(0.5).as_dict() == {"km2": 400.0, "km2_done": 200.0}
    now[0] = 101.0
    assert "km2_per_s" not in pacer.at(0.51).as_dict()
    now[0] = 110.0
    assert pacer.at(0.6).as_dict() == {"km2": 400.0, "km2_done": 240.0, "km2_per_s": 4.0, "seconds_left": 40}


def test_only_the_last_minute_counts() -> None:
    now = [0.0]
    pacer = Pacer(1.0, clock=lambda: now[0])
    for second in range(0, 600, 10):  # a slow beginning
        now[0] = second
        pacer.at(second / 10_000)
    for second in range(600, 700, 10):  # then a second worker joins
        now[0] = second
        pace = pacer.at(0.06 + (second - 600) / 1000)
    assert pace.km2_per_s is not None
    assert 0.0009 < pace.km2_per_s <= 0.001
    assert pacer.at(1.0).seconds_left == 0
