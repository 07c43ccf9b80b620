"""Limits of risk at a close, in plain Python: what may be ordered of what is wanted, and why not more.

Owns stages, cool-downs, caps and the limits that hold, written from the rules and not from the kernel's
code, of which it imports nothing. Sizes are a fixed share of equity; margin has one tier, so that it grows in
proportion. Values are in the quote currency, signed as the position is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass
class Symbol:
    """What is held and on order of a symbol after the bar, what is wanted of it, and its weight of that."""

    price: float
    quantity: float = 0.0
    coin: float = 0.0
    entry: float = 0.0
    order: float = 0.0
    reason: str = ""
    contract: bool = True
    inverse: bool = False
    valid: bool = True
    in_session: bool = True
    leaving: bool = False
    side: float | None = None
    doubt: str = ""
    most: float = 0.0
    cooling: int = 0
    stale: int = 0
    weight: float | None = None
    refusal: str = ""

    def value(self, quantity: float) -> float:
        return quantity if self.inverse else quantity * self.price

    def quantity_of(self, value: float) -> float:
        return value if self.inverse else value / self.price

    @property
    def worth(self) -> float:
        return self.coin * self.price - self.quantity if self.inverse else self.value(self.quantity)

    @property
    def gained(self) -> float:
        """Return what the position has made since its entry."""
        if not self.quantity:
            return 0.0
        move = self.price / self.entry - 1.0
        return self.quantity * move * (1.0 if self.inverse else self.entry)


@dataclass
class Limits:
    """A limit of 0 is off."""

    fraction: float
    max_symbol_weight: float = 0.0
    max_gross: float = 0.0
    max_net: float = 0.0
    max_leverage: float = 0.0
    cap_tolerance: float = 0.0
    halve_drawdown: float = 0.0
    flatten_drawdown: float = 0.0
    cool_down_bars: int = 0
    max_losses: int = 0
    max_stale_bars: int = 0
    flatten_leaving: bool = False
    margin: str = "none"
    borrow: bool = True
    leverage: float = 50.0
    fee: float = 0.0


@dataclass
class Close:
    """An account at a close: `live` decides, and lets the close be over."""

    limits: Limits
    cash: float
    symbols: list[Symbol]
    stage: str = "none"
    peak: float = 0.0
    cooling: int = 0
    losses: int = 0

    @property
    def equity(self) -> float:
        return self.cash + sum(each.worth for each in self.symbols)

    def live(self) -> None:
        for each in self.symbols:
            each.stale += not each.valid and each.in_session
        self.set_stage()
        self.decide()
        self.hold()
        self.cooling = max(self.cooling - 1, 0)
        for each in self.symbols:
            each.cooling = max(each.cooling - 1, 0)
            each.stale = 0 if each.valid else each.stale
            each.most = each.most if abs(each.quantity) > each.most else 0.0

    def set_stage(self) -> None:
        limits, equity = self.limits, self.equity
        if limits.cool_down_bars and 0 < limits.max_losses <= self.losses:
            self.cooling, self.losses = limits.cool_down_bars, 0
        if not limits.halve_drawdown and not limits.flatten_drawdown:
            return
        if self.stage == "flattened":
            if self.cooling:
                return
            self.stage, self.peak = "none", equity
        if equity >= self.peak:
            self.peak = equity
            if self.stage == "halved":
                self.stage = "none"
                for each in self.symbols:
                    each.most = 0.0
        drawdown = 1.0 - equity / self.peak
        if limits.flatten_drawdown and drawdown >= limits.flatten_drawdown:
            self.stage, self.cooling = "flattened", limits.cool_down_bars
        elif limits.halve_drawdown and drawdown >= limits.halve_drawdown and self.stage == "none":
            self.stage = "halved"
            for each in self.symbols:
                each.most = abs(each.quantity) / 2.0

    def why_not(self, each: Symbol) -> str:
        """Return what forbids to open or to increase."""
        limits = self.limits
        if self.stage == "flattened":
            return "drawdown_stage"
        if self.cooling or each.cooling:
            return "cool_down"
        if each.leaving:
            return "leaving"
        if limits.max_stale_bars and each.stale >= limits.max_stale_bars:
            return "stale"
        return each.doubt

    def decide(self) -> None:
        """Order what leads to the sides that are wanted, with increases as large as every cap allows."""
        limits = self.limits
        stays: dict[int, float] = {}  # values
        more: dict[int, float] = {}
        for s, each in enumerate(self.symbols):
            coming = each.quantity + each.order
            stays[s], more[s] = each.value(coming), 0.0
            if each.side is None or not each.valid:
                continue
            weight = limits.fraction
            if each.side and self.stage == "halved":
                weight, each.refusal = weight / 2.0, "drawdown_stage"
            if each.side and 0.0 < limits.max_symbol_weight < weight:
                weight, each.refusal = limits.max_symbol_weight, "cap_symbol"
            each.weight = each.side * weight
            if sign(coming) == each.side:
                continue
            held, wanted = each.value(each.quantity), each.weight * self.equity
            stays[s] = same_side(held, wanted)
            more[s] = wanted - stays[s]
            if more[s] and self.why_not(each):
                more[s], each.refusal = 0.0, self.why_not(each)
            each.reason = "decided"
        self.cap("cap_gross", limits.max_gross, stays, more, range(len(self.symbols)))
        contracts = [s for s, each in enumerate(self.symbols) if each.contract]
        self.cap("leverage", limits.max_leverage, stays, more, contracts)
        self.cap_margin(stays, more)
        self.cap_net(stays, more)
        for s, each in enumerate(self.symbols):
            if each.reason == "decided":
                each.reason, each.weight = "signal", (stays[s] + more[s]) / self.equity
                each.order = each.quantity_of(stays[s] + more[s]) - each.quantity
                each.order = 0.0 if abs(each.order) <= 1e-12 * abs(each.quantity) else each.order

    def shrink(
        self, factor: float, why: str, more: dict[int, float], which: list[int] | range
    ) -> None:
        for s in which:
            if more[s]:
                more[s] *= factor
                self.symbols[s].refusal = why

    def cap(
        self, why: str, cap: float, stays: dict[int, float], more: dict[int, float],
        which: list[int] | range,
    ) -> None:  # fmt: skip
        """Keep the sum of values under a cap."""
        asked = sum(abs(more[s]) for s in which)
        room = max(cap * self.equity - sum(abs(stays[s]) for s in which), 0.0)
        if cap and asked > room:
            self.shrink(room / asked, why, more, which)

    def cap_net(self, stays: dict[int, float], more: dict[int, float]) -> None:
        """Keep longs less shorts under a cap, by the increases of the side that is too large."""
        cap = self.limits.max_net * self.equity
        net = sum(stays.values()) + sum(more.values())
        if not cap or abs(net) <= cap:
            return
        large = [s for s in more if more[s] * net > 0.0]
        asked = sum(abs(more[s]) for s in large)
        if asked:
            self.shrink(max(asked - (abs(net) - cap), 0.0) / asked, "cap_net", more, large)

    def cap_margin(self, stays: dict[int, float], more: dict[int, float]) -> None:
        """Keep what increases set aside within what there is; it grows in proportion."""
        limit, fixed, growing = self.equity, 0.0, 0.0
        isolated = self.limits.margin == "isolated"
        if isolated:
            limit -= max(sum(each.gained for each in self.symbols if each.contract), 0.0)
        for s, each in enumerate(self.symbols):
            fixed += abs(stays[s]) * self.margin_share(each, stays[s])
            growing += abs(more[s]) * self.margin_share(each, more[s])
            growing += abs(more[s]) * self.limits.fee * (isolated and each.contract)
        if fixed + growing > limit:
            factor = max(limit - fixed, 0.0) / growing if growing else 0.0
            self.shrink(factor, "margin", more, range(len(more)))

    def margin_share(self, each: Symbol, side: float) -> float:
        """Return what a position sets aside, of its value."""
        if not each.contract and not self.limits.borrow:
            return 1.0
        if self.limits.margin == "none":
            return 0.0
        share = 1.0 / self.limits.leverage
        if each.contract and self.limits.margin == "isolated":  # the fee at its bankruptcy price
            share += self.limits.fee * (1.0 - sign(side) * share * (-1.0 if each.inverse else 1.0))
        return share

    def hold(self) -> None:
        """Reduce what is held with what is on order to the limits that hold."""
        limits, equity = self.limits, self.equity
        slack = 1.0 + limits.cap_tolerance
        holds = limits.cap_tolerance > 0.0
        before = [each.quantity + each.order for each in self.symbols]
        after = [self.allowed(each) for each in self.symbols]

        def values(side: float = 0.0, contracts: bool = False) -> dict[int, float]:
            found = {s: each.value(after[s]) for s, each in enumerate(self.symbols)}
            return {
                s: value for s, value in found.items()
                if value and value * side >= 0.0 and (self.symbols[s].contract or not contracts)
            }  # fmt: skip

        def scale(which: dict[int, float], factor: float, why: str) -> None:
            for s in which:
                after[s] *= factor
                self.symbols[s].refusal = why

        for contracts, share, why in (
            (False, limits.max_gross, "cap_gross"), (True, limits.max_leverage, "leverage"),
        ):  # fmt: skip
            which = values(contracts=contracts)
            total, cap = sum(map(abs, which.values())), share * equity
            if holds and cap and total > cap * slack:
                scale(which, cap / total, why)
        net, cap = sum(values().values()), limits.max_net * equity
        if holds and cap and abs(net) > cap * slack:
            which = values(side=net)
            large = abs(sum(which.values()))
            scale(which, (large - abs(net) + cap) / large, "cap_net")
        for each, was, target in zip(self.symbols, before, after, strict=True):
            if target != was:
                change = target - each.quantity
                smaller = change * each.order > 0.0 and abs(change) <= abs(each.order)
                each.reason = each.reason if smaller else "risk"
                each.order, each.weight = change, each.value(target) / equity

    def allowed(self, each: Symbol) -> float:
        """Return what may be held of a symbol, on the side that it is on."""
        limits, coming = self.limits, each.quantity + each.order
        side, most, why = sign(coming), math.inf, ""
        if self.stage == "flattened":
            most, why = 0.0, "drawdown_stage"
        elif each.leaving and limits.flatten_leaving:
            most, why = 0.0, "leaving"
        else:
            if each.order * coming > 0.0 and self.why_not(each):
                most, why = max(each.quantity * side, 0.0), self.why_not(each)
            if 0.0 < each.most < most:
                most, why = each.most, "drawdown_stage"
            cap = limits.max_symbol_weight * self.equity
            beyond = abs(each.value(coming)) > cap * (1.0 + limits.cap_tolerance)
            if cap and limits.cap_tolerance and beyond and each.quantity_of(cap) < most:
                most, why = each.quantity_of(cap), "cap_symbol"
        if abs(coming) > most:
            each.refusal = why
            return side * most
        return coming


def sign(x: float) -> float:
    return math.copysign(1.0, x) if x else 0.0


def same_side(held: float, wanted: float) -> float:
    """Return what of a value that is wanted is held already."""
    return sign(wanted) * min(abs(held), abs(wanted)) if held * wanted > 0.0 else 0.0
