"""Settings of PLLs: what other calculators give, every range kept, the nearest and the fastest of all settings."""

import itertools

import pytest
from systolith.hw.pll import PLLS, Pll, fastest_clock, nearest_clock


@pytest.mark.parametrize(
    ("family", "source", "mhz", "dividers", "vco"),
    [
        ("ecp5", 25, 100, (1, 24, 6), 600),  # ecppll -i 25 -o 100: 600 MHz / 6
        ("ecp5", 48, 48 * 3, (1, 12, 4), 576),
        ("ice40", 12, 30, (1, 80, 32), 960),  # icepll -i 12 -o 30: DIVF 79, DIVQ 5
        ("ice40", 12, 24, (1, 64, 32), 768),
        ("gw2a", 27, 54, (1, 2, 16), 864),
        ("gw1n", 27, 27 * 18 / 4, (2, 9, 8), 972),
    ],
)
def test_known_settings(family, source, mhz, dividers, vco):
    found = nearest_clock(PLLS[family], source, mhz)
    assert (found.reference, found.feedback, found.output) == dividers
    assert found.vco == vco and found.mhz == pytest.approx(mhz)


def settings(family, source):
    """All of them, one after the other."""
    kind = PLLS[family]
    for reference, feedback, output in itertools.product(kind.references, kind.feedbacks, kind.outputs):
        setting = Pll(kind=kind, source=source, reference=reference, feedback=feedback, output=output)
        if all(
            low - 1e-9 <= value <= high + 1e-9
            for (low, high), value in (
                (kind.source, source),
                (kind.detector, setting.detector),
                (kind.vco, setting.vco),
                (kind.clock, setting.mhz),
            )
        ):
            yield setting


@pytest.mark.parametrize(
    ("family", "source"), [("ecp5", 25), ("ecp5", 48), ("ice40", 12), ("gw2a", 27), ("gw1n", 27)]
)
def test_nearest_and_fastest_of_all_settings(family, source):
    kind = PLLS[family]
    clocks = sorted({round(setting.mhz, 9) for setting in settings(family, source)})
    for mhz in (17, 33.3, 64, 99, 101, 123.4, 149.9, 200, 266, 275):
        nearest = min(clocks, key=lambda clock: abs(clock - mhz))
        if abs(nearest - mhz) <= 0.02 * mhz:
            assert abs(nearest_clock(kind, source, mhz).mhz - mhz) == pytest.approx(
                abs(nearest - mhz), abs=1e-6
            )
        else:
            with pytest.raises(ValueError, match="clock must be one that the PLL can make"):
                nearest_clock(kind, source, mhz)
        fastest = fastest_clock(kind, source, mhz)
        assert fastest.mhz == pytest.approx(max(clock for clock in clocks if clock <= mhz))
        assert fastest in settings(family, source)


@pytest.mark.parametrize(
    ("family", "source", "mhz", "said"),
    [
        ("ecp5", 25, 900, "within 2 %, not 900 MHz: an EHXPLLL makes 3.125 to 400 MHz from 25 MHz"),
        ("ice40", 12, 8, "within 2 %, not 8 MHz: an SB_PLL40_PAD makes 16.125 to 270 MHz from 12 MHz"),
        ("ecp5", 6, 100, "not 100 MHz: an EHXPLLL makes no clock from 6 MHz"),
    ],
)
def test_what_no_setting_makes(family, source, mhz, said):
    with pytest.raises(ValueError, match=said):
        nearest_clock(PLLS[family], source, mhz)


def test_nothing_is_slow_enough():
    with pytest.raises(ValueError, match="an SB_PLL40_PAD makes no clock of up to 10 MHz from 12 MHz"):
        fastest_clock(PLLS["ice40"], 12, 10)


def test_a_setting_says_what_it_does():
    said = nearest_clock(PLLS["ecp5"], 25, 100).describe()
    assert said == "EHXPLLL: 25 MHz / 1 = 25 MHz, oscillating at 600 MHz, / 6 = 100 MHz"
