"""What takes seconds to work out of a run: skill, calibration, controls, edge against cost, trips.

It is worked out in a process of its own, one at a time and out of everyone's way, by the functions
that the report uses; this module is also that process (`python -m bot.serve.feed.analysis RUN`).
Rules: a run that goes on is worked out anew when it is asked for, but not all the time; until then the
last result is given, which says of which bar it is. Must not write into a run's folder.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import sys
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.app.runs.folder import RunFolder
from bot.serve.feed.runs import Mark, marks_of

if TYPE_CHECKING:
    from bot.report.inputs import RunData

OFTEN_S, SHARE = 20.0, 15.0
"""A run is worked out at most so often, and for at most one part in so many of the time."""
MOST_KEPT = 12
CURVE_POINTS = 1500
LIMIT_S = 1800.0


@dataclass(frozen=True)
class Analysed:
    """What was worked out, of which state of the run; `fault` where it could not be."""

    result: dict[str, Any] | None
    fault: str
    mark: Mark
    at: float
    took_s: float


class Analyses:
    """The results that were asked for last, and the process that makes the next."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: OrderedDict[str, Analysed] = OrderedDict()
        self._under_way: dict[str, asyncio.Task[Analysed]] = {}
        self._one = asyncio.Lock()

    async def of(self, folder: RunFolder, wait_s: float) -> tuple[Analysed | None, bool]:
        """Return the newest result, None where there is none within `wait_s`; and if one is under way."""
        key, mark = folder.path.name, marks_of(folder)["journal"]
        kept = self._kept.get(key)
        # a fault may pass: it is tried again, now and then, also where the run has not changed
        fresh = kept is not None and (
            (kept.mark == mark and kept.result is not None)
            or self._clock() - kept.at < max(OFTEN_S, SHARE * kept.took_s)
        )
        if not fresh and key not in self._under_way:
            task = asyncio.create_task(self._make(folder, mark))
            self._under_way[key] = task
            task.add_done_callback(lambda _: self._under_way.pop(key, None))
        task_now = self._under_way.get(key)
        if kept is None and task_now is not None and wait_s > 0.0:
            with suppress(TimeoutError):
                kept = await asyncio.wait_for(asyncio.shield(task_now), wait_s)
        return kept, key in self._under_way

    async def close(self) -> None:
        """End what is under way."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _make(self, folder: RunFolder, mark: Mark) -> Analysed:
        async with self._one:
            begun = self._clock()
            result, fault = await _in_a_process(folder.path)
            # as other faults: the run's name, and not where it lies
            fault = fault.replace(f"{folder.path.absolute().parent}/", "")
            done = Analysed(result, fault, mark, self._clock(), self._clock() - begun)
        self._kept[folder.path.name] = done
        self._kept.move_to_end(folder.path.name)
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return done


async def _in_a_process(path: Path) -> tuple[dict[str, Any] | None, str]:
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", __name__, str(path.absolute()),
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
    except OSError as error:
        return None, f"its process cannot be started: {error.strerror}"
    try:
        out, err = await asyncio.wait_for(process.communicate(), LIMIT_S)
    except TimeoutError:
        return None, f"it took over {LIMIT_S / 60:.0f} minutes"
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        lines = err.decode("utf-8", "replace").strip().splitlines()
        return None, lines[-1] if lines else f"its process ended with {process.returncode}"
    result: dict[str, Any] = json.loads(out)
    return result, ""


def analysed(path: Path) -> dict[str, Any]:
    """Return what the report says of a run, its round trips, and the curve of buy and hold."""
    from bot.app.runs.folder import config_of
    from bot.app.runs.results import read_run
    from bot.report.money.buy_and_hold import buy_and_hold
    from bot.report.page.downsample import thinned
    from bot.report.summary import build

    folder = RunFolder(path)
    run = read_run(folder, follow=True)
    held = buy_and_hold(run, run.start_index)
    kept = thinned(held, CURVE_POINTS)
    return {
        "last_bar": int(run.open_time[-1]),
        "summary": build(run, config_of(folder).report),
        "trips": trips_of(run),
        "buy_and_hold": {
            "time": run.open_time[run.start_index :][kept].tolist(),
            "equity": held[kept].tolist(),
        },
    }


def trips_of(run: RunData) -> list[dict[str, Any]]:
    """Return the run's closed round trips, in the order in which they ended."""
    from bot.portfolio.reasons import FILL_REASON
    from bot.report.money.trades import trades_of

    trades = trades_of(run, run.start_index)
    columns = {
        "symbol": [run.symbols[s] for s in trades.symbol.tolist()],
        "side": ["long" if side > 0 else "short" for side in trades.side.tolist()],
        "opened": trades.entry_ms.tolist(),
        "closed": trades.exit_ms.tolist(),
        "bars": trades.bars_held.tolist(),
        "quantity": trades.quantity.tolist(),
        "entry_price": trades.entry_price.tolist(),
        "exit_price": trades.exit_price.tolist(),
        "profit": trades.profit.tolist(),
        "profit_fraction": trades.fraction.tolist(),
        "fees": trades.fees.tolist(),
        "funding": trades.funding.tolist(),
        "reason": [FILL_REASON.get(code) for code in trades.exit_reason.tolist()],
    }
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def without_nan(value: Any) -> Any:
    """Return JSON values with None for what is no number."""
    if isinstance(value, dict):
        return {str(key): without_nan(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(each) for each in value]
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def main() -> None:
    """Work one run out and print it as JSON."""
    from bot.errors import BotError

    os.nice(10)
    try:
        print(json.dumps(without_nan(analysed(Path(sys.argv[1]))), allow_nan=False))
    except BotError as error:
        print(str(error).replace("\n", " "), file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
