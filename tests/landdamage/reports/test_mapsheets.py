import dataclasses
import io
import re

import numpy as np
import pypdf
import pytest
from matplotlib.patches import Rectangle
from PIL import Image

from landdamage.reports import cartography
from landdamage.reports.document import Makers
from landdamage.reports.mapsheets import FRAME, REQUIRED, changed_mines, overview_picture, overview_sheet, sheets
from tests.fixtures.reports import worked_example

MAKERS = Makers(unit="示例监测中心", author="张三", checker="李四", secrecy="内部", approval_no="新S(2024)001号")


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_sheet_carries_every_element_and_says_so_in_its_text(language):
    data = worked_example()
    drawn = list(sheets(data, language, MAKERS, most=1))
    assert [sheet.name for sheet in drawn] == ["overview", f"mine_{changed_mines(data)[0].code}"]
    for sheet in drawn:
        assert set(REQUIRED) <= set(sheet.elements)
        page = pypdf.PdfReader(io.BytesIO(sheet.pdf())).pages[0]
        assert [round(float(x) / 72 * 25.4) for x in page.mediabox[2:]] == [420, 297]  # A3
        text = re.sub(r"\s+", "", page.extract_text())
        for name in REQUIRED:
            for word in sheet.elements[name].split():
                assert word in text or name == "scale_bar", (name, word)
        assert "9f2c4e61b07d" in text
        assert {"zh": "中央经线87°E", "en": "centralmeridian87°E"}[language] in text
        assert "GF2PMS12.0m2023-07-21" in text
        fonts = page["/Resources"]["/Font"].values()
        assert all(re.match(r"/[A-Z]{6}\+", font.get_object()["/BaseFont"]) for font in fonts)


def test_the_legend_names_what_is_there_and_always_unobserved_ground():
    data = worked_example()
    whole = overview_sheet(data, "zh", MAKERS).elements["legend"]
    assert "尾矿库" in whole
    assert "新增损毁" in whole
    assert "行政区界线" in whole
    far = data.outlines[data.outlines["what"] != "region"]
    assert "行政区界线" not in overview_sheet(dataclasses.replace(data, outlines=far), "zh", MAKERS).elements["legend"]
    quiet = data.cells[data.cells["new_state"].isin(["open_pit", "vegetation"]) & (data.cells["flow"] != "new")]
    few = overview_sheet(dataclasses.replace(data, cells=quiet), "zh", MAKERS).elements["legend"]
    assert "尾矿库" not in few
    assert "新增损毁" not in few
    assert "未观测" in few


def test_the_scale_is_true_on_paper():
    sheet = overview_sheet(worked_example(), "zh", MAKERS)
    axes = sheet.figure.axes[1]
    west, east = axes.get_xlim()
    assert (east - west) * 1000 / sheet.scale == pytest.approx(FRAME[2] - FRAME[0])
    assert sheet.elements["numeric_scale"].replace(" ", "") == f"1:{sheet.scale}"
    length, unit = sheet.elements["scale_bar"].split()
    metres = float(length) * (1000 if unit == "km" else 1)
    bars = [p for p in sheet.figure.axes[0].patches if isinstance(p, Rectangle) and p.get_height() == 1.6]
    assert sum(bar.get_width() for bar in bars) == pytest.approx(metres * 1000 / sheet.scale)


def test_scales_are_the_usual_ones():
    assert cartography.fitting_scale((0, 0, 2000, 2000), 300, 250, 5_000) == 10_000
    assert cartography.fitting_scale((0, 0, 500, 500), 300, 250, 5_000) == 5_000
    assert cartography.grid_step((0, 0, 3000, 2400)) == 500


def test_pictures_are_drawn():
    sheet = overview_sheet(worked_example(), "zh", MAKERS)
    image = Image.open(io.BytesIO(sheet.png()))
    assert image.size == pytest.approx((4961, 3508), abs=1)  # A3 at 300 dpi
    assert round(image.info["dpi"][0]) == 300
    small = np.asarray(Image.open(io.BytesIO(overview_picture(worked_example(), "zh"))).convert("RGB"))
    assert (np.abs(small.astype(int) - (0xD5, 0x5E, 0x00)).sum(axis=2) < 12).mean() > 0.005  # open pits
