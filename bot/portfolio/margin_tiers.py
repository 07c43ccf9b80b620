"""The margin tiers of contracts: built-in ones for where none were fetched, and what follows from tiers.

Source of the numbers: a public repository's transcript, of 2026-08-05, of what Bybit's GET
/v5/market/risk-limit (https://bybit-exchange.github.io/docs/v5/market/risk-limit) answers for BTCUSDT and
ADAUSDT; Bybit itself was not asked. The first two tiers of BTCUSDT, 0.5 % up to 2,000,000 USDT and 0.56 % up to 2,600,000, are those of Bybit's
page on the maintenance margin of USDT contracts
(https://www.bybit.com/en/help-center/article/Maintenance-Margin-USDT-Contract, 2025-09-05).

Rules: every other linear contract gets the tiers of ADAUSDT, which ask for more margin than Bybit does
of the most traded coins (0.75 % where ETHUSDT has 0.5 %) and less than of small ones: whoever needs a
symbol's own fetches them (`bot fetch`, or a live start). Bybit changes tiers without notice; these are
those of that day, whatever day a backtest is of. Limits and deductions of inverse contracts are in coin. Of these BTCUSD
has two tiers built in, those that a public repository's transcript of the same answer of 2026-09-26 has: 0.5 % up to 150 BTC and
1 % up to 300, as in the example of Bybit's documentation; beyond, where Bybit asks for more, the second is taken.
Other inverse contracts have none: theirs is 1 % and 50 times at any size (`USUAL_TIERS`), the base rate of Bybit's page on them for ETH, EOS and XRP
(https://www.bybit.com/en/help-center/article/Risk-Limit-Inverse-Contract, 2025-11-25).
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.portfolio.instruments import Instrument, Tier
from bot.venues import ProductKind, Venue

# fmt: off
_BTCUSDT = (
    (2_000_000, 50, 100.0), (2_600_000, 56, 90.0), (3_200_000, 63, 80.0), (3_800_000, 67, 75.0),
    (4_400_000, 71, 70.0), (5_000_000, 77, 65.0), (5_600_000, 91, 55.0), (8_500_000, 100, 50.0),
    (10_000_000, 130, 45.0), (14_000_000, 150, 40.0), (20_000_000, 160, 35.0), (28_000_000, 200, 30.0),
    (38_000_000, 250, 25.0), (50_000_000, 290, 20.0), (55_000_000, 300, 19.0), (60_000_000, 350, 18.0),
    (65_000_000, 360, 17.0), (70_000_000, 380, 16.0), (75_000_000, 400, 15.0), (80_000_000, 450, 14.0),
    (85_000_000, 500, 13.0), (90_000_000, 550, 12.0), (95_000_000, 600, 11.0), (100_000_000, 650, 10.0),
    (105_000_000, 700, 9.0), (110_000_000, 850, 8.0), (115_000_000, 950, 7.0), (120_000_000, 1_000, 6.0),
    (150_000_000, 1_200, 5.0), (200_000_000, 1_400, 4.0), (250_000_000, 1_800, 3.0),
    (400_000_000, 3_000, 2.0), (600_000_000, 4_200, 1.43), (800_000_000, 5_000, 1.28),
    (1_200_000_000, 6_000, 1.0),
)
_ADAUSDT = (
    (200_000, 75, 75.0), (300_000, 100, 50.0), (500_000, 150, 33.33), (900_000, 200, 25.0),
    (1_300_000, 250, 20.0), (1_700_000, 300, 16.67), (2_100_000, 350, 14.29), (2_500_000, 400, 12.5),
    (2_900_000, 450, 11.11), (3_300_000, 500, 10.0), (3_700_000, 550, 9.09), (4_100_000, 600, 8.33),
    (4_500_000, 650, 7.69), (4_900_000, 700, 7.14), (5_000_000, 750, 6.67), (7_000_000, 800, 6.25),
    (9_000_000, 850, 5.88), (11_000_000, 900, 5.56), (13_000_000, 950, 5.26), (15_000_000, 1_000, 5.0),
    (17_000_000, 1_050, 4.76), (19_000_000, 1_100, 4.55), (21_000_000, 1_150, 4.35),
    (23_000_000, 1_200, 4.17), (25_000_000, 1_250, 4.0), (27_000_000, 1_300, 3.85),
    (29_000_000, 1_350, 3.7), (31_000_000, 2_000, 2.5), (33_000_000, 4_000, 1.43),
    (35_000_000, 6_000, 1.0),
)
# fmt: on
"""Limit in USDT, maintenance rate in hundredths of a per cent, largest leverage."""


def deductions(limits: Sequence[float], rates_bps: Sequence[float]) -> list[float]:
    """Return the deduction of each tier, so that the margin has no jump between two tiers.

    >>> deductions([2e6, 2.6e6, 3.2e6], [50, 56, 63])
    [0.0, 1200.0, 3020.0]
    """
    told = [0.0]
    for k in range(1, len(limits)):
        told.append(told[-1] + limits[k - 1] * (rates_bps[k] - rates_bps[k - 1]) / 1e4)
    return told


def _tiers(rows: Sequence[tuple[int, int, float]]) -> tuple[Tier, ...]:
    taken_off = deductions([limit for limit, _, _ in rows], [bps for _, bps, _ in rows])
    return tuple(
        Tier(float(limit), bps / 1e4, deduction, leverage)
        for (limit, bps, leverage), deduction in zip(rows, taken_off, strict=True)
    )


BTCUSDT, OF_OTHERS = _tiers(_BTCUSDT), _tiers(_ADAUSDT)
"""The built-in tiers of Bitcoin, and those of every other linear contract."""
BTCUSD = _tiers(((150, 50, 100.0), (300, 100, 66.67)))
"""Those of Bitcoin's inverse contract, in coin."""


def tiers_of(venue: Venue, symbol: str, instrument: Instrument | None) -> tuple[Tier, ...]:
    """Return the tiers of a symbol: as the exchange told them, else the built-in ones.

    Returns:
        nothing for what has none built in, and was told nothing of: spot, and inverse contracts but BTCUSD.

    >>> from bot.venues import venue_row
    >>> [len(tiers_of(venue_row(v), "BTCUSDT", None)) for v in ("bybit_linear", "bybit_spot")]
    [35, 0]
    """
    if instrument is not None and instrument.tiers:
        return instrument.tiers
    if venue.kind is ProductKind.INVERSE:
        return BTCUSD if symbol == "BTCUSD" else ()
    if not venue.contract:
        return ()
    return BTCUSDT if symbol in {"BTCUSDT", "BTCUSDC", "BTCPERP"} else OF_OTHERS
