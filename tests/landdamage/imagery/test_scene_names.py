import datetime as dt

import pytest

from landdamage.imagery.names import SceneName, parse_name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "GF1_PMS1_E86.2_N43.1_20210715_L1A0005761234-MSS1.tiff",
            SceneName("GF1", "MSS1", "L1A", dt.date(2021, 7, 15)),
        ),
        ("GF1B_PMS_E86.2_N43.1_20210715_L1A1227961234.tar.gz", SceneName("GF1B", "PMS", "L1A", dt.date(2021, 7, 15))),
        ("GF2_PMS2_E87.5_N43.8_20200630_L1A0004891234.tif", SceneName("GF2", "PMS2", "L1A", dt.date(2020, 6, 30))),
        (
            "GF7_DLC_E87.1_N43.2_20220801_L1L0000123456-BWDMUX.tiff",
            SceneName("GF7", "BWDMUX", "L1L", dt.date(2022, 8, 1)),
        ),
        (
            "ZY303_TMS_E107.8_N33.1_20200824_L1A0001234567.tar.gz",
            SceneName("ZY3-03", "TMS", "L1A", dt.date(2020, 8, 24)),
        ),
        (
            "ZY3_01a_mynfavp_278116_20140827_183905_0008_SASMAC_CHN_sec_rel_001_1408280123.tif",
            SceneName("ZY3-01", "", "", dt.date(2014, 8, 27)),
        ),
        (
            "S2A_MSIL2A_20210715T050701_N0301_R019_T45TVH.tif",
            SceneName("SENTINEL2", "MSI", "L2A", dt.date(2021, 7, 15)),
        ),
        ("LC08_L2SP_142030_20210716_20210722_02_T1.tif", SceneName("LANDSAT8", "", "L2SP", dt.date(2021, 7, 16))),
        ("SV1-01_20190512_L2A.tif", SceneName("SUPERVIEW", acquired_on=dt.date(2019, 5, 12))),
        ("m_4709963_se_14_1_20090818.tif", SceneName(acquired_on=dt.date(2009, 8, 18))),
        ("矿区 2021-07-15 正射.tif", SceneName(acquired_on=dt.date(2021, 7, 15))),
        ("C:\\data\\scene_2021.07.15.tif", SceneName(acquired_on=dt.date(2021, 7, 15))),
        ("1985.tif", SceneName()),
        ("scene_20210231.tif", SceneName()),
        ("serial_120210715.tif", SceneName()),
    ],
)
def test_names_that_really_occur(name: str, expected: SceneName) -> None:
    assert parse_name(name) == expected


def test_impossible_date_in_a_product_name_is_no_date() -> None:
    assert parse_name("GF1_PMS1_E86.2_N43.1_20211315_L1A0005761234.tif").acquired_on is None
