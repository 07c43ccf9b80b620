"""What `--practice` means: the settings of a run on the practice exchange, made from a user's own.

The daemon and the check of its start ask here, so that both mean the same.
"""

from __future__ import annotations

import sys

from bot.app.symbols import made_symbols
from bot.config import Config
from bot.log import Terminal
from bot.parts.sets import CORE
from bot.timegrid import INTERVAL_MS
from bot.venues import VENUES, is_inverse

PRACTICE_WAITS = {"close_deadline_s": 0.5, "decide_within_s": 0.9, "quote_timeout_s": 0.4}
"""The longest waits of a daemon on the practice exchange, in bars, where no setting says how long."""


def practice_config(config: Config, *, tell: bool = False) -> Config:
    """Return the settings with the practice exchange's symbols, speed and waits; tell what it replaces."""
    interval_s = INTERVAL_MS[config.market.interval] / 1000.0
    speed = config.practice.speed or 2.0 * interval_s
    # waits are our seconds: Bybit's would be many bars here
    waits = {
        key: min(getattr(config.exchange, key), share * interval_s / speed)
        for key, share in PRACTICE_WAITS.items()
        if key not in config.exchange.model_fields_set
    }
    changed = {"source": "practice", "speed": speed, "requests_per_second": 100.0}
    exchange = config.exchange.model_copy(update=changed | waits)
    own = config.market.venue
    venue = "bybit_inverse" if own in VENUES and is_inverse(own) else "bybit_linear"
    market = config.market.model_copy(update={"venue": venue})
    names = made_symbols(config.model_copy(update={"market": market}))
    some = tuple(name for name in config.market.symbols if name in names)
    if "symbols" in config.market.model_fields_set and some == config.market.symbols:
        names = some  # others of its symbols may join later
    market = market.model_copy(update={"symbols": names})
    given = config.market.model_fields_set & {"symbols", "venue"}
    if tell and given and config.market != market:
        Terminal(sys.stderr).write(
            f"practice: trades {', '.join(market.symbols)} of {market.venue}, the synthetic market's, "
            f"instead of what market.{' and market.'.join(sorted(given))} says\n"
        )
    features, model = config.features, config.model
    if (
        "names" not in features.model_fields_set
    ):  # a demo is ready after a week of bars, not a month
        features = features.model_copy(update={"names": CORE})
    if "members" not in model.model_fields_set:
        model = model.model_copy(update={"members": 1})
    policy = config.policy
    if "kind" not in policy.model_fields_set:  # a demo trades from its first bars
        policy = policy.model_copy(update={"kind": "threshold"})
        if tell:
            Terminal(sys.stderr).write(
                "practice: policy.kind = 'threshold', so that there are trades from the first bars on; "
                "set policy.kind to see another\n"
            )
    changes = {"exchange": exchange, "market": market, "policy": policy}
    return config.model_copy(update={**changes, "features": features, "model": model})
