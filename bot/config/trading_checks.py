"""Combinations of settings of trading that cannot work, each refused with the keys and the fix.

Must not look at files or data.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bot.config.whole import Config


def trading_faults(config: Config) -> list[str]:
    """Return a line for each fault of costs, sizes, orders and risk."""
    faults = []
    if config.costs.reference:
        if config.execution.fill != "next_close":
            faults.append("costs.reference = true needs execution.fill = 'next_close'")
        if config.sizing.method != "fixed":
            faults.append("costs.reference = true needs sizing.method = 'fixed'")
        if config.policy.kind != "threshold":
            faults.append("costs.reference = true needs policy.kind = 'threshold'")
        if config.costs.scheme != "taker":
            faults.append("costs.reference = true needs costs.scheme = 'taker'")
        if len(config.market.symbols) != 1 and config.data.source == "files":
            faults.append("costs.reference = true is for one symbol; set market.symbols to one")
        if max(config.risk.stop_loss, config.risk.take_profit, config.risk.trailing_stop) > 0.0:
            faults.append(
                "costs.reference = true knows no path inside a bar; set risk.stop_loss, risk.take_profit "
                "and risk.trailing_stop to 0"
            )
    faults += _limit_orders(config)
    for name in config.portfolio.leverages:
        known = config.data.source == "files" and not config.market.symbols_are_open
        if known and name not in config.market.symbols:
            faults.append(
                f"portfolio.leverages.{name}: there is no such symbol; market.symbols has "
                f"{', '.join(config.market.symbols)}"
            )
    of_members = {
        "sizing.disagreement_penalty": config.sizing.disagreement_penalty,
        "risk.max_disagreement": config.risk.max_disagreement,
    }
    faults += [
        f"{key} = {value:g}: a single network has no disagreement between members; raise model.members "
        "or set it to 0"
        for key, value in of_members.items()
        if value > 0.0 and config.model.members == 1
    ]
    if config.retrain.trigger == "cron" and len(config.retrain.cron.split()) != 5:
        faults.append(
            f"retrain.cron = '{config.retrain.cron}': expected five fields, for example '0 0 1 * *'"
        )
    return faults + _risk(config)


def _risk(config: Config) -> list[str]:
    risk, faults = config.risk, []
    for key in ("flatten_drawdown", "max_losses"):
        if getattr(risk, key) and not risk.cool_down_bars:
            faults.append(
                f"risk.{key} = {getattr(risk, key):g} needs risk.cool_down_bars, for which nothing is "
                "opened; set it above 0"
            )
    given = [
        (f"risk.{key}", getattr(risk, key))
        for key in ("halve_drawdown", "flatten_drawdown", "max_drawdown")
        if getattr(risk, key)
    ]
    for (key, at), (later, later_at) in pairwise(given):
        if at >= later_at:
            faults.append(
                f"{key} = {at:g} would never come before {later} = {later_at:g}; lower it or raise {later}"
            )
    return faults


def _limit_orders(config: Config) -> list[str]:
    execution = config.execution
    faults: list[str] = []
    if execution.style != "limit":
        return faults
    if execution.fill == "next_close":
        faults.append(
            "execution.style = 'limit' rests from a bar's open on; execution.fill = 'next_close' meets its "
            "end only; set 'next_open'"
        )
    if config.costs.scheme != "taker":
        faults.append(
            f"execution.style = 'limit' pays costs.maker_fee; costs.scheme = '{config.costs.scheme}' is not "
            "asked about it; set 'taker', or execution.style = 'market'"
        )
    if execution.excess == "split":
        faults.append(
            "execution.excess = 'split' spreads market orders; with execution.style = 'limit' set 'wait' or 'drop'"
        )
    if execution.post_only and execution.limit_offset_bps < 0.0:
        faults.append(
            f"execution.limit_offset_bps = {execution.limit_offset_bps:g} is beyond the close and meets the "
            "other side, and execution.post_only drops such orders; make it 0 or more"
        )
    return faults
