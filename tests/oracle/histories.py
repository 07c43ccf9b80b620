"""Random markets and rules, for the compiled account and, in plain numbers, for the plain one."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bot.blocks import F64, BarBlock
from bot.portfolio.full_account import FullAccount, MarginMode
from bot.portfolio.limits import RiskLimits
from bot.portfolio.order_rules import Excess, plain_orders
from bot.portfolio.rules import FillAt, LatePolicy, Rules, SizingMethod
from bot.timegrid import HOUR_MS
from tests.oracle.account import Account
from tests.oracle.terms import Candle, Position, Settings, Terms, Tier

CAPITAL = 10_000.0
TIERS = ((20_000.0, 0.005, 0.0, 50.0), (60_000.0, 0.01, 100.0, 25.0), (np.inf, 0.02, 700.0, 10.0))
READ = [name for name in Candle.__dataclass_fields__ if name != "tradable"]


@dataclass(frozen=True)
class Wanted:
    """What a history is to have."""

    seed: int
    n_symbols: int = 1
    n_bars: int = 60
    full: bool = True
    margin: str = "none"
    spot: str = "none"
    inverse: str = "none"
    leverage: float = 10.0
    borrow: bool = False
    fraction: float = 0.5
    at_close: bool = False
    late: str = "hold"
    steps: bool = True
    limits: tuple[tuple[str, Any], ...] = ()
    halts: bool = False
    leaving: float = 0.05
    orders: tuple[tuple[str, Any], ...] = ()
    ticks: float = 0.0
    largest: float = 0.0
    optimistic: bool = False

    @property
    def contract(self) -> list[bool]:
        """Tell which symbols are held on margin."""
        spot = {"none": 0, "some": 1, "all": self.n_symbols}[self.spot]
        return [s >= spot for s in range(self.n_symbols)]

    @property
    def is_inverse(self) -> list[bool]:
        """Tell which contracts are inverse."""
        last = {"none": 0, "some": 1, "all": self.n_symbols}[self.inverse]
        linear = self.n_symbols - last
        return [held and s >= linear for s, held in enumerate(self.contract)]


def random_bars(want: Wanted) -> BarBlock:
    """Return bars with gaps, crashes, holes, late bars, quotes, marks, funding and settlements."""
    rng = np.random.default_rng(want.seed)
    shape = (want.n_bars, want.n_symbols)

    def sometimes(share: float) -> Any:
        return rng.random(shape) < share

    first = 10.0 ** rng.uniform(-3, 7, want.n_symbols)  # of the dearest, parts of a unit are held
    moves = rng.normal(0.0, 0.01, shape) + np.where(sometimes(0.02), rng.normal(0.0, 0.4, shape), 0)
    close = first * np.exp(np.cumsum(moves, axis=0))
    gap = rng.normal(0.0, 0.002, shape) + np.where(sometimes(0.03), rng.normal(0.0, 0.1, shape), 0)
    open_ = np.concatenate([[first], close[:-1]]) * np.exp(gap)
    high = np.maximum(open_, close) * np.exp(np.abs(rng.normal(0.0, 0.005, shape)))
    low = np.minimum(open_, close) * np.exp(-np.abs(rng.normal(0.0, 0.005, shape)))
    valid = ~sometimes(0.08)
    quoted, marked, inside = sometimes(0.3), sometimes(0.6), sometimes(0.5)
    spread = 1.0 + np.abs(rng.normal(0.0, 0.001, shape))
    rate = np.where(sometimes(0.2), rng.normal(0.0, 0.002, shape), 0.0)
    rate[sometimes(0.02)] = np.nan
    mark = np.where(marked, open_ * np.exp(rng.normal(0.0, 0.001, shape)), np.nan)
    inverse = np.array(want.is_inverse)
    volume = rng.lognormal(1.0, 1.0, shape) * CAPITAL / np.where(inverse, 1.0, open_)
    known = [np.where(valid, each, np.nan) for each in (open_, high, low, close, volume)]
    bars = BarBlock.of_candles(
        np.arange(want.n_bars, dtype=np.int64) * HOUR_MS,
        *(known[0], known[1], known[2], known[3], known[4]), in_session=valid | ~sometimes(0.3), funding_rate=rate, mark=mark,
        mark_high=np.where(inside, np.maximum(high * 0.999, mark), np.nan),
        mark_low=np.where(inside, np.minimum(low * 1.001, mark), np.nan),
        funding_inside=np.where(sometimes(0.05), close * rng.normal(0.0, 0.001, shape), 0.0),
        settlement_price=np.where(want.full & sometimes(0.01), close, np.nan),
        leaving=want.full & sometimes(want.leaving),
    )  # fmt: skip
    return replace(
        bars, fill_bid=np.where(quoted, open_ / spread, np.nan),
        fill_ask=np.where(quoted, open_ * spread, np.nan),
        fillable=(valid | quoted) & ~sometimes(0.07), tradable=rng.random(want.n_bars) < 0.95,
    )  # fmt: skip


def random_signal(want: Wanted) -> F64:
    """Return sides wanted now and then."""
    rng = np.random.default_rng([want.seed, 1])
    shape = (want.n_bars, want.n_symbols)
    return np.where(rng.random(shape) < 0.4, rng.choice([-0.01, 0.0, 0.01], shape), np.nan)


def rules_of(want: Wanted, bars: BarBlock) -> Rules:
    """Return the rules of the compiled account."""
    n = want.n_symbols
    contract = np.array(want.contract)
    price = bars.close[np.isfinite(bars.close).argmax(axis=0), np.arange(n)]
    inverse = np.array(want.is_inverse)
    unit = np.where(inverse, 1.0, price)
    step = 10.0 ** np.floor(np.log10(CAPITAL / 500.0 / unit)) if want.steps else np.zeros(n)
    tiers = np.array([TIERS] * n)
    for k in (0, 2):  # what is in the quote currency, in coin
        tiers[inverse, :, k] /= price[inverse, None]
    full = FullAccount(
        margin_mode=int(MarginMode[want.margin.upper()]),
        inverse=inverse,
        has_inverse=bool(inverse.any()),
        contract=contract,
        leverage=np.full(n, want.leverage),
        tier_limit=tiers[:, :, 0].copy(),
        tier_rate=tiers[:, :, 1].copy(),
        tier_deduction=tiers[:, :, 2].copy(),
        tier_leverage=tiers[:, :, 3].copy(),
        borrow=want.borrow,
        interest=1e-5,
        optimistic=want.optimistic,
        orders=plain_orders(n)._replace(
            tick=10.0 ** np.floor(np.log10(price)) * want.ticks, max_market=want.largest * CAPITAL / unit,
            max_limit=want.largest * CAPITAL / unit, maker_fee=np.full(n, 0.0002), **dict(want.orders),
        ),
        risk=RiskLimits(settlement_fee=np.full(n, 0.0005))._replace(**dict(want.limits)),
    )  # fmt: skip
    return Rules(
        threshold=0.001, method=int(SizingMethod.FIXED), fraction=want.fraction, scale=0.1,
        max_weight=0.5, band=0.05, disagreement_penalty=0.0, max_symbol_weight=0.0,
        max_gross=1.5 * want.fraction, max_daily_loss=0.05 if want.halts else 0.0,
        max_drawdown=0.4 if want.halts else 0.0, half_spread=0.0002, slippage=0.0001,
        reference=False, fill_at=int(FillAt.NEXT_CLOSE if want.at_close else FillAt.NEXT_OPEN),
        late_policy=int(LatePolicy[want.late.upper()]), allow_short=contract, funding=contract.copy(),
        taker_fee=np.linspace(0.0005, 0.001, n), quantity_step=step, min_quantity=2.0 * step,
        min_notional=np.full(n, 30.0 if want.steps else 0.0), bar_ms=HOUR_MS,
        full=full if want.full else None,
    )  # fmt: skip


def tiers_of(full: FullAccount, s: int) -> list[Tier]:
    """Return the tiers of a symbol."""
    table = (full.tier_limit, full.tier_rate, full.tier_deduction, full.tier_leverage)
    return [Tier(*(float(column[s, t]) for column in table)) for t in range(len(TIERS))]


def account_of(rules: Rules) -> Account:
    """Return the plain account under the same rules."""
    full = rules.full
    positions = []
    for s in range(len(rules.taker_fee)):
        terms = Terms(
            taker_fee=float(rules.taker_fee[s]), funding=bool(rules.funding[s]),
            step=float(rules.quantity_step[s]), min_quantity=float(rules.min_quantity[s]),
            min_notional=float(rules.min_notional[s]),
        )  # fmt: skip
        if full is not None:
            terms = replace(
                terms, contract=bool(full.contract[s]), inverse=bool(full.inverse[s]), leverage=float(full.leverage[s]),
                settlement_fee=float(full.risk.settlement_fee[s]), tiers=tiers_of(full, s),
                tick=float(full.orders.tick[s]), largest=float(full.orders.max_market[s]),
                maker_fee=float(full.orders.maker_fee[s]),
            )  # fmt: skip
        positions.append(Position(terms))
    settings = Settings(
        half_spread=rules.half_spread, slippage=rules.slippage,
        at_close=rules.fill_at == FillAt.NEXT_CLOSE, late=LatePolicy(rules.late_policy).name.lower(),
        full=full is not None,
    )  # fmt: skip
    if full is not None:
        settings = replace(
            settings, margin=MarginMode(full.margin_mode).name.lower(), borrow=full.borrow,
            interest=full.interest, participation=full.orders.max_participation,
            impact=full.orders.impact, excess=Excess(full.orders.excess).name.lower(),
            split_bars=full.orders.split_bars, stop_loss=full.orders.stop_loss,
            take_profit=full.orders.take_profit, trailing_stop=full.orders.trailing_stop,
            limit_orders=full.orders.is_limit, limit_offset=full.orders.limit_offset,
            post_only=full.orders.post_only, limit_bars=full.orders.limit_bars,
            crosses=full.orders.crosses, optimistic=full.optimistic,
        )  # fmt: skip
    return Account(CAPITAL, settings, positions)


def candles_of(bars: BarBlock, i: int) -> list[Candle]:
    """Return the candles of a bar."""
    return [
        Candle(**{name: getattr(bars, name)[i, s].item() for name in READ},
               tradable=bool(bars.tradable[i]))
        for s in range(bars.n_symbols)
    ]  # fmt: skip


def cuts_of(want: Wanted) -> list[tuple[int, int]]:
    """Return a random partition of the bars."""
    rng = np.random.default_rng([want.seed, 2])
    places = sorted({0, want.n_bars, *rng.integers(1, want.n_bars, 5).tolist()})
    return list(itertools.pairwise(places))
