"""Whether Bybit is reached, from which region, whether our clock is right, and a round trip without it.

Rules: hosts are asked all at once, so that a machine without a network is told so within seconds; a
practice run needs none, and that is said.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

from bot.adapters.bybit.hosts import REGIONS, hosts_of
from bot.adapters.bybit.probe import TIMEOUT_S, Probe, probe_all, stream_fault
from bot.app.first_hour.finding import Finding, graded
from bot.app.live.exchange import live_exchange
from bot.app.live.request_waits import RequestWaits
from bot.app.runs.folder import RunFolder
from bot.app.start.practice import practice_config
from bot.config import Config
from bot.errors import BotError
from bot.log import open_log
from bot.wording import counted

SLOW_MS = 1_500.0
SKEW_WARN_MS, SKEW_FAIL_MS = 1_000.0, 30_000.0
NO_NETWORK = "look at the network and its DNS; './scripts/run' and 'bot demo' trade without one"


def network_checks(config: Config, timeout_s: float = TIMEOUT_S) -> list[Finding]:
    """Ask Bybit's hosts; return what was found of requests, stream and clock."""
    hosts = hosts_of(config.exchange)
    others = {name: each.rest for name, each in REGIONS.items() if each.rest != hosts.rest}
    asked = probe_all([hosts.rest, *others.values()], timeout_s)
    mine, reached = (
        asked[0],
        [name for name, p in zip(others, asked[1:], strict=True) if not p.fault],
    )
    findings = [_requests(mine, config, reached)]
    if mine.fault:
        return findings
    fault = stream_fault(hosts.stream, timeout_s)
    findings.append(
        graded("stream", f"{hosts.stream}: {fault or 'can be connected to'}", fail=bool(fault),
               fix="where no stream is let through: market.feed = \"poll\"")
    )  # fmt: skip
    return [*findings, _clock(mine)]


def round_trip() -> Finding:
    """Make a practice exchange inside, and ask it for its symbols by the requests of a live run."""
    start = time.perf_counter()
    try:
        symbols = asyncio.run(asyncio.wait_for(_practice(), 60.0))
    except (BotError, OSError, TimeoutError) as error:
        why = str(error) or type(error).__name__
        return graded("round trip", f"the practice exchange inside: {why}", fail=True,
                      fix="local connections (127.0.0.1) must be let through")  # fmt: skip
    took = (time.perf_counter() - start) * 1000.0
    return graded(
        "round trip",
        f"a practice exchange inside told of {counted(symbols, 'symbol')} in {took:,.0f} ms",
    )


async def _practice() -> int:
    from bot.config import load_config

    config = practice_config(load_config(environ={}))
    with tempfile.TemporaryDirectory() as place, open_log(None) as log:
        folder = RunFolder(Path(place))
        async with live_exchange(config, folder, log, RequestWaits(log), practice=True) as exchange:
            return len(await exchange.instruments(config.market.symbols))


def _requests(mine: Probe, config: Config, reached: list[str]) -> Finding:
    where = f"{mine.host} (region {config.exchange.region})"
    if mine.fault:
        fix = NO_NETWORK
        if reached:
            fix = f'reached from here: {", ".join(reached)}; if you may use it: exchange.region = "{reached[0]}"'
        elif mine.refused:
            fix = "Bybit does not serve where this machine is; a practice run and files need it not"
        return graded("network", f"{where}: {mine.fault}", fail=True, fix=fix)
    took = mine.took_ms or 0.0
    other = f"; also reached: {', '.join(reached)}" if reached else ""
    return graded("network", f"{where} answers in {took:,.0f} ms{other}", warn=took > SLOW_MS,
                  fix="a slow line makes bars late; bars of an hour bear it, those of a minute may not")  # fmt: skip


def _clock(mine: Probe) -> Finding:
    ahead = mine.ahead_ms or 0.0
    way = "behind" if ahead > 0.0 else "ahead of"
    return graded(
        "clock", f"this machine is {abs(ahead) / 1000.0:,.2f} s {way} the exchange",
        fail=abs(ahead) > SKEW_FAIL_MS, warn=abs(ahead) > SKEW_WARN_MS,
        fix="set it by the network: timedatectl set-ntp true (bars go by the exchange's time, logs by yours)",
    )  # fmt: skip
