"""Combinations of settings that cannot work, each refused with the keys and the fix.

Must not look at files or data: what needs them is checked where they are read.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bot.config.needed_heads import reads_volatility, untrained_heads
from bot.config.trading_checks import trading_faults
from bot.config.universe import UniverseRule
from bot.errors import ConfigError

if TYPE_CHECKING:
    from bot.config.whole import Config

_SYMBOL = re.compile(r"^([a-z0-9]+(_[a-z0-9]+)*:)?[A-Za-z0-9.\-]+$")


def combination_faults(config: Config) -> list[str]:
    """Return what no single key can rule out: a line for each fault, with the keys and the fix."""
    return [
        *_market(config),
        *_features(config),
        *_model(config),
        *_sharing(config),
        *_curriculum(config),
        *trading_faults(config),
        *_exchange(config),
    ]


def _market(config: Config) -> list[str]:
    faults = []
    venue, symbols = config.market.venue, config.market.symbols
    if config.market.universe:
        try:
            UniverseRule.parse(config.market.universe)
        except ConfigError as error:
            faults.append(str(error))
    for name in symbols:
        own, _, symbol = name.rpartition(":")
        if not _SYMBOL.match(name):
            faults.append(f"market.symbols: '{name}' is no symbol; write BTCUSDT or venue:BTCUSDT")
        elif (own or venue).startswith("bybit_") and symbol != symbol.upper():
            faults.append(
                f"market.symbols: Bybit has no '{symbol}', its symbols are in capitals; write "
                f"{symbol.upper()}"
            )
    full = [name if ":" in name else f"{venue}:{name}" for name in symbols]
    twice = sorted({name for name in full if full.count(name) > 1})
    if twice:
        faults.append(
            f"market.symbols: a symbol stands there twice ({', '.join(twice)}); name each once"
        )
    return faults


def _features(config: Config) -> list[str]:
    f = config.features
    faults = []
    if len(set(f.names)) != len(f.names):
        faults.append("features.names: a feature stands there twice; name each once")
    if not f.window < f.medium_window < f.long_window:
        faults.append(
            "features.window, medium_window, long_window: must grow from one to the next, they are "
            f"{f.window}, {f.medium_window}, {f.long_window}"
        )
    return faults


def _model(config: Config) -> list[str]:
    faults = []
    kinds = config.targets.kinds
    if len(set(kinds)) != len(kinds):
        faults.append("targets.kinds: a kind stands there twice; name each once")
    decides = config.signal.source == "decision"
    missing = ({"decision"} if decides else {"return", "direction"}) - set(kinds)
    if missing:
        faults.append(
            f"targets.kinds: the signal needs {' and '.join(sorted(missing))} too; add it"
        )
    faults += _horizons(config)
    if reads_volatility(config) and "volatility" not in kinds:
        reader = (
            f"sizing.method = '{config.sizing.method}'"
            if config.sizing.method != "fixed"
            else f"policy.kind = '{config.policy.kind}'"
        )
        faults.append(f"{reader} needs the volatility head; add it to targets.kinds")
    for name in config.training.weights:
        if name not in kinds:
            faults.append(
                f"training.weights.{name}: there is no such head; targets.kinds has {kinds}"
            )
    if config.training.weights and config.training.weighting != "fixed":
        faults.append("training.weights are for weighting = 'fixed'; remove them or set it")
    t = config.training
    n_symbols = (
        config.synthetic.symbols
        if config.data.source == "synthetic"
        else len(config.market.symbols)
    )
    most_rows = (t.window_bars - config.model.bars_read + 1) * n_symbols
    known = not config.market.symbols_are_open
    if known and t.window == "rolling" and most_rows < t.min_rows:
        faults.append(
            f"training.window_bars = {t.window_bars}: with {n_symbols} symbols it never has "
            f"training.min_rows = {t.min_rows} rows; widen it or ask for fewer rows"
        )
    return faults


def _horizons(config: Config) -> list[str]:
    t, kinds, faults = config.targets, config.targets.kinds, []
    if len(set(t.horizons)) != len(t.horizons):
        faults.append("targets.horizons: a horizon stands there twice; name each once")
    weighed = config.signal.horizons == "inverse_variance" and len(t.horizons) > 1
    if weighed and config.signal.source != "decision" and "volatility" not in kinds:
        faults.append(
            "signal.horizons = 'inverse_variance' needs the volatility head; add it to targets.kinds, "
            "or set 'mean' or 'first'"
        )
    for kind, least in (("skew", 3), ("trend", 2)):
        if kind in kinds and min(t.horizons) < least:
            faults.append(
                f"targets.kinds: '{kind}' says nothing under {least} bars; targets.horizons has "
                f"{min(t.horizons)}; lengthen it or take '{kind}' out"
            )
    n_symbols = (
        config.synthetic.symbols
        if config.data.source == "synthetic"
        else len(config.market.symbols)
    )
    if "residual" in kinds and n_symbols < 2 and not config.market.symbols_are_open:
        faults.append("targets.kinds: 'residual' needs two symbols or more; take it out")
    return faults


def _sharing(config: Config) -> list[str]:
    m, t = config.model, config.training
    faults = []
    if m.symbol_embedding and m.architecture == "single":
        faults.append(
            "model.symbol_embedding is shared by the tasks, and model.architecture = 'single' shares "
            "nothing; set model.heads = 'per_symbol', or another architecture"
        )
    shares = m.architecture not in ("single", "soft")
    if t.gradients != "sum" and not shares:
        faults.append(
            f"training.gradients = '{t.gradients}' works on what the tasks share; "
            f"model.architecture = '{m.architecture}' shares nothing; set 'sum'"
        )
    if t.gradients_on == "features" and t.gradients == "sum":
        faults.append("training.gradients_on = 'features' needs a training.gradients but 'sum'")
    if t.gradients_on == "features" and m.architecture not in ("shared_bottom", "mmoe"):
        faults.append(
            "training.gradients_on = 'features' needs model.architecture = 'shared_bottom' or "
            "'mmoe', whose tasks meet in one representation; set 'parameters'"
        )
    if t.weighting == "gradnorm" and not shares:
        faults.append(
            "training.weighting = 'gradnorm' looks at the last shared layer; "
            f"model.architecture = '{m.architecture}' has none"
        )
    if t.weighting == "gradnorm" and t.gradients != "sum":
        faults.append(
            "training.weighting = 'gradnorm' and training.gradients both balance gradients; keep one"
        )
    return faults


def _curriculum(config: Config) -> list[str]:
    t, kinds = config.training, config.targets.kinds
    if (t.curriculum == "stages") != bool(t.stages):
        return ["training.stages and training.curriculum = 'stages' need each other"]
    known = {*kinds, "all"}
    stages = [text.split(" ") for text in t.stages]
    if t.curriculum == "direction_return_all":
        stages = [["direction", "for", "3"], ["return", "for", "3"], ["all"]]
    faults = [
        f"training.stages: there is no head '{kind}'; targets.kinds has {kinds}, or write 'all'"
        for stage in stages
        for kind in stage[0].split("+")
        if kind not in known
    ]
    if any((len(stage) > 1) == (stage is stages[-1]) for stage in stages):
        faults.append("training.stages: every stage but the last needs an end, and the last none")
    if not faults:
        faults += untrained_heads(config, [stage[0].split("+") for stage in stages])
    least = sum(int(stage[2]) if stage[1:2] == ["for"] else 1 for stage in stages)
    if least > t.epochs:
        faults.append(
            f"training.epochs = {t.epochs}: the stages of the curriculum need at least {least}"
        )
    return faults


def _exchange(config: Config) -> list[str]:
    faults = []
    if 0 < config.data.history_bars < 50:
        faults.append(
            f"data.history_bars = {config.data.history_bars}: expected 50 or more, or 0 for as many as "
            "are needed"
        )
    e = config.exchange
    if e.reconnect_first_s > e.reconnect_longest_s:
        faults.append(
            f"exchange.reconnect_first_s = {e.reconnect_first_s:g} is above reconnect_longest_s = "
            f"{e.reconnect_longest_s:g}; lower it"
        )
    if e.close_deadline_s > e.decide_within_s:
        faults.append(
            f"exchange.close_deadline_s = {e.close_deadline_s:g} is above decide_within_s = "
            f"{e.decide_within_s:g}; no late bar could be decided on; lower it"
        )
    if e.source == "bybit" and e.speed != 1.0:
        faults.append(
            f"exchange.speed = {e.speed:g}: Bybit's time is ours; leave it 1, or set exchange.source; that of "
            "--practice is practice.speed"
        )
    if e.region != "global" and (e.rest_url or e.testnet):
        faults.append(
            f"exchange.region = '{e.region}' and exchange.{'rest_url' if e.rest_url else 'testnet'} name "
            "two hosts; keep one"
        )
    if bool(e.rest_url) != bool(e.stream_url):
        faults.append("exchange.rest_url, stream_url: give both or neither")
    for key in ("rest_url", "stream_url"):
        url = getattr(e, key)
        if url and not _has_host(url):
            faults.append(
                f"exchange.{key} = '{url}': names no host and port; write for example "
                f"{'http' if key == 'rest_url' else 'ws'}://127.0.0.1:9000"
            )
    return faults


def _has_host(url: str) -> bool:
    """Tell whether an address has a host, and a port that is one where it has any."""
    try:
        found = urlsplit(url)
        return bool(found.hostname) and (found.port is None or found.port > 0)
    except ValueError:
        return False
