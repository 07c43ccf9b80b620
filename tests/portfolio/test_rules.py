"""What settings, venues and instruments become for the kernel."""

from __future__ import annotations

import pytest

from bot.config import Config, load_config
from bot.errors import ConfigError
from bot.portfolio.full_account import FullAccount
from bot.portfolio.instruments import Instrument
from bot.portfolio.rules import FillAt, LatePolicy, Rules, SizingMethod, rules_from


def config_of(*sets: str) -> Config:
    return load_config(None, sets, {})


def test_the_defaults_are_a_sober_takers() -> None:
    rules = rules_from(config_of(), ["BTCUSDT", "ETHUSDT"])
    assert rules.taker_fee.tolist() == [0.00055, 0.00055]
    assert (rules.half_spread, rules.slippage) == (1e-4, 1e-4)
    assert rules.fraction == 0.5
    assert rules.method == SizingMethod.FIXED
    assert rules.fill_at == FillAt.NEXT_OPEN
    assert rules.late_policy == LatePolicy.CANCEL
    assert rules.allow_short.all()
    assert rules.funding.all()


@pytest.mark.parametrize(
    ("told", "symbols", "fraction"), [(0.3, 1, 0.3), (1.7, 4, 1.7), (0, 4, 0.25)]
)
def test_the_fraction_is_the_settings_else_an_equal_part(
    told: float, symbols: int, fraction: float
) -> None:
    names = [f"S{s}USDT" for s in range(symbols)]
    assert rules_from(config_of(f"sizing.fraction={told}"), names).fraction == fraction


@pytest.mark.parametrize(
    ("venue", "fee", "cash"),
    [
        ("bybit_linear", 0.00055, False),
        ("bybit_spot", 0.001, True),
        ("binance_spot", 0.001, True),
        ("us", 0.0005, True),
        ("yahoo", 0.0005, True),
        ("binance_linear", 0.0005, False),
        ("binance_usdm", 0.0005, False),
    ],
)
def test_what_a_venue_implies(venue: str, fee: float, cash: bool) -> None:
    rules = rules_from(config_of(f"market.venue={venue}"), ["X", "bybit_linear:Y"])
    assert rules.taker_fee.tolist() == [fee, 0.00055]
    assert rules.allow_short.tolist() == [not cash, True]
    assert rules.funding.tolist() == [not cash, True]


def test_settings_go_before_the_venue() -> None:
    rules = rules_from(
        config_of("costs.taker_fee=0", "costs.funding=false", "sizing.allow_short=false"), ["X"]
    )
    assert rules.taker_fee.tolist() == [0.0]
    assert not rules.funding.any()
    assert not rules.allow_short.any()


def test_instruments_go_before_the_defaults() -> None:
    rules = rules_from(
        config_of("execution.quantity_step=0.5", "execution.min_notional=7"),
        ["X", "Y"],
        {"Y": Instrument(0.001, 0.002, 10.0)},
    )
    assert rules.quantity_step.tolist() == [0.5, 0.001]
    assert rules.min_quantity.tolist() == [0.0, 0.002]
    assert rules.min_notional.tolist() == [7.0, 10.0]


def test_the_reference_has_one_cost_and_no_limit() -> None:
    rules = rules_from(
        config_of(
            "costs.reference=true", "execution.fill=next_close", "market.symbols=us:AAPL",
            "costs.taker_fee=0.001", "risk.max_drawdown=0.2", "risk.max_daily_loss=0.1",
            "execution.quantity_step=0.5",
        ),
        ["us:AAPL"],
    )  # fmt: skip
    zero = [
        rules.half_spread, rules.slippage, rules.max_symbol_weight, rules.max_gross,
        rules.max_daily_loss, rules.max_drawdown, rules.quantity_step[0], rules.min_quantity[0],
        rules.min_notional[0],
    ]  # fmt: skip
    assert not any(zero)
    assert (rules.reference, rules.fraction, rules.taker_fee[0]) == (True, 1.0, 0.001)
    assert rules.allow_short.all()
    assert not rules.funding.any()


def test_a_venue_that_is_not_in_the_table_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"no venue 'elsewhere'.*binance_usdm"):
        rules_from(config_of("market.venue=elsewhere"), ["X"])


def test_the_reference_is_for_one_symbol() -> None:
    settings = ("costs.reference=true", "execution.fill=next_close", "data.source=synthetic")
    with pytest.raises(ConfigError, match="one symbol and there are 2"):
        rules_from(config_of(*settings), ["X", "Y"])


def test_the_kernel_is_compiled_for_two_sets_of_types() -> None:
    """Whatever the settings, but for the full account, which is there or not."""
    kinds = [
        {name: type(value) for name, value in rules_from(config_of(*sets), ["X"])._asdict().items()}
        for sets in (
            (),
            ("sizing.fraction=1", "costs.half_spread_bps=0", "portfolio.margin_mode=isolated"),
            ("costs.reference=true", "execution.fill=next_close", "market.symbols=X"),
        )
    ]
    assert kinds[0] == kinds[1]
    assert kinds[0].pop("full") is FullAccount
    assert kinds[2].pop("full") is type(None)
    assert kinds[0] == kinds[2]
    assert list(kinds[0]) == [name for name in Rules._fields if name != "full"]
