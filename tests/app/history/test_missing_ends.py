"""What an exchange does not give before the first row, after the last, or at all: told, and an error."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bot.adapters.bybit.rest import BybitRest
from bot.adapters.bybit.retry import Backoff, Limiter
from bot.adapters.files.candle_files import read_candles
from bot.app.history.fetch import fetch, gaps_error
from bot.app.history.progress import Fetched
from bot.config import load_config
from bot.config.schema import Synthetic
from bot.practice.faults import Faults
from bot.practice.market import PracticeMarket
from bot.practice.synthetic import START_MS, SyntheticMarket
from bot.timegrid import DAY_MS, HOUR_MS
from tests.adapters.bybit import fake_bybit
from tests.served_practice import served_practice

if TYPE_CHECKING:
    from tests.conftest import Cli

NOW = 1_735_689_600_000 + 25 * 60_000  # 2025-01-01 00:25
CLOSED = NOW // HOUR_MS * HOUR_MS - HOUR_MS
START = CLOSED - 100 * HOUR_MS
LONG_AGO = START - 400 * DAY_MS
Lost = Callable[[int], bool]


class Forgetful(fake_bybit.FakeBybit):
    """A market that never shows hours and settlements of some times; its days it shows."""

    def __init__(self, lost: Lost, listed_ms: int = LONG_AGO, delivery_ms: int = 0) -> None:
        super().__init__(NOW, listed_ms)
        self.lost, self.delivery_ms = lost, delivery_ms
        self.asked = ""

    def get_kline(self, **query: Any) -> Any:
        self.asked = query["interval"]
        return super().get_kline(**query)

    def answer(self, result: dict[str, Any]) -> dict[str, Any]:
        rows = result.get("list", [])
        if rows and isinstance(rows[0], list) and self.asked != "D":
            rows = [row for row in rows if not self.lost(int(row[0]))]
        elif rows and "fundingRateTimestamp" in rows[0]:
            rows = [row for row in rows if not self.lost(int(row["fundingRateTimestamp"]))]
        elif rows and "lotSizeFilter" in rows[0]:
            rows = [{**row, "deliveryTime": str(self.delivery_ms)} for row in rows]
        return super().answer({**result, "list": rows} if "list" in result else result)


def run(
    root: Path, session: Any, venue: str = "bybit_linear", start_ms: int = START, end_ms: int = NOW
) -> dict[str, Fetched]:
    config = load_config(None, ["market.symbols=BTCUSDT", f"market.venue={venue}"], {})
    rest = BybitRest(
        session, clock=lambda: 0.0, sleep=lambda s: None, limiter=Limiter(1e9),
        backoff=Backoff(tries=2),
    )  # fmt: skip
    span = (start_ms, end_ms)
    done = fetch(config, ("BTCUSDT",), span, root, lambda p: None, rest=lambda: rest)
    return {each.what: each for each in done}


@pytest.mark.parametrize("venue", ["bybit_linear", "bybit_spot"])
def test_a_start_that_is_cut_in_every_answer_is_told_and_filled_later(
    tmp_path: Path, venue: str
) -> None:
    """Contracts tell their launch; what spot had is shown by its daily candles."""
    first = START + 5 * HOUR_MS
    done = run(tmp_path, Forgetful(lambda t: t < first), venue)
    assert done["candles"].absent == ((START, START + 4 * HOUR_MS),)
    assert done["candles"].rows == 96
    assert "1 hole that the exchange does not fill, from 2024-12-27 19:00" in str(done["candles"])
    error = gaps_error(list(done.values()))
    assert error is not None
    assert error.exit_code == 3
    assert "did not give all of BTCUSDT candles" in str(error)
    again = run(tmp_path, Forgetful(lambda t: t < first), venue)["candles"]
    assert (again.new_rows, again.absent) == (0, done["candles"].absent), "not once only"
    mended = run(tmp_path, Forgetful(lambda t: False), venue)
    assert (mended["candles"].new_rows, mended["candles"].rows) == (5, 101)
    assert gaps_error(list(mended.values())) is None


@pytest.mark.parametrize("venue", ["bybit_linear", "bybit_spot"])
@pytest.mark.parametrize("hour", [0, 7, 23])
def test_what_is_older_than_its_symbol_does_not_lack(tmp_path: Path, venue: str, hour: int) -> None:
    day = CLOSED // DAY_MS * DAY_MS - 2 * DAY_MS
    young = Forgetful(lambda t: t < day + hour * HOUR_MS, listed_ms=day)
    first = run(tmp_path, young, venue)
    again = run(tmp_path, young, venue)
    assert [gaps_error(list(done.values())) for done in (first, again)] == [None, None]
    assert first["candles"].rows == 72 - hour


def test_marks_and_settlements_that_lack_at_the_ends_are_told(tmp_path: Path) -> None:
    until = CLOSED - 20 * HOUR_MS
    done = run(tmp_path, Forgetful(lambda t: not START + 9 * HOUR_MS <= t <= until))
    expected = ((START, START + 8 * HOUR_MS), (until, CLOSED))  # nothing shows that `until` is over
    assert done["candles"].absent == done["mark"].absent == expected
    before, after = done["funding"].absent
    settled = [t for t in range(START, NOW, HOUR_MS) if t % (8 * HOUR_MS) == 0]
    lost = [t for t in settled if t < START + 9 * HOUR_MS or t > until]
    found = [t for t in settled if before[0] <= t <= before[1] or after[0] <= t <= after[1]]
    assert found == lost
    assert len(lost) >= 3


def test_what_was_delivered_ends_there(tmp_path: Path) -> None:
    end = CLOSED - 30 * HOUR_MS
    done = run(tmp_path, Forgetful(lambda t: t >= end, delivery_ms=end))
    assert done["candles"].absent == ()
    assert done["candles"].rows == 69, "nothing shows that the last is over"
    cut = run(tmp_path / "b", Forgetful(lambda t: t >= end - 3 * HOUR_MS, delivery_ms=end))
    assert cut["candles"].absent == ((end - 4 * HOUR_MS, end - 2 * HOUR_MS),)


def test_an_exchange_that_gives_nothing_lacks_all(tmp_path: Path) -> None:
    done = run(tmp_path, Forgetful(lambda t: True))
    assert done["candles"].absent == done["mark"].absent == ((START, CLOSED),)
    assert done["funding"].rows == 0
    assert done["funding"].absent[0][0] == START
    later = run(tmp_path / "b", Forgetful(lambda t: True, listed_ms=NOW + DAY_MS))
    assert gaps_error(list(later.values())) is None, "it is launched tomorrow"


def test_an_end_before_what_is_there_lacks_nothing(tmp_path: Path) -> None:
    run(tmp_path, Forgetful(lambda t: False))
    done = run(tmp_path, Forgetful(lambda t: False), end_ms=CLOSED - 50 * HOUR_MS)
    assert gaps_error(list(done.values())) is None


def test_the_command_keeps_what_came_and_ends_with_3(cli: Cli, tmp_path: Path) -> None:
    market = PracticeMarket(SyntheticMarket(Synthetic(symbols=1), HOUR_MS))
    gap_ms = START_MS + 100 * HOUR_MS
    faults = Faults(halted=1, halt_ms=gap_ms, halt_until_ms=gap_ms + 2 * HOUR_MS)
    with served_practice(market, START_MS + 300 * HOUR_MS, faults) as exchange:
        said = cli(
            "fetch", "--data", tmp_path, "--from", "2023-01-01", "--symbols", "SYN0USDT",
            "--set", f"exchange.rest_url={exchange.rest_url}",
            "--set", f"exchange.stream_url={exchange.stream_url}",
            "--set", "exchange.source=practice",
        )  # fmt: skip
    assert said.code == 3, said.err
    assert "1 hole that the exchange does not fill" in said.out
    assert "error: the exchange did not give all of SYN0USDT candles" in said.err
    times = read_candles(tmp_path / "candles" / "bybit_linear_SYN0USDT_1h.parquet", "1h").time
    assert gap_ms not in times.tolist()
    assert len(times) == 298
