"""Short backtests to look at: small models, trained in this process so that they take no time.

Hypothesis draws the same examples every time, so that CI cannot flicker; to hunt with fresh ones:
HYPOTHESIS_PROFILE=hunt scripts/check tests/portfolio

Candles and messages stand in tests/fixtures, made by `python -m scripts.fixtures`. Where real ones lie
beside the project (../shared, or where BOT_SHARED says) the same tests run on these too; where they do
not, the tests that want them are skipped by name, and the run's last lines count them.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import Phase, settings

from bot.adapters.files.candle_files import write_candles
from bot.adapters.journal.forms import open_journal
from bot.adapters.record.reading import Record
from bot.app.backtest import job as backtest_module
from bot.app.backtest.job import BacktestDone, run_backtest
from bot.app.backtest.preparing import RunMarket, prepare, read_market
from bot.app.runs.folder import RunFolder, new_run
from bot.app.runs.record import begin_record
from bot.app.training.request import TrainingDone, TrainingRequest, run_training
from bot.blocks import F64, I64, BarBlock
from bot.config import Config, load_config
from bot.errors import BotError
from bot.log import open_log
from bot.parts import plugins

settings.register_profile("steady", derandomize=True, deadline=None)
settings.register_profile("hunt", deadline=None)
settings.register_profile(
    "unshrunk", derandomize=True, deadline=None, phases=(Phase.explicit, Phase.generate)
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))

# a shell that starts the tests in the background, and nohup, let all their children ignore these
for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, usual)

# what commands print into a pipe is as wide as this says
os.environ.pop("COLUMNS", None)

FIXTURES = Path(__file__).parent / "fixtures"
SHARED = Path(os.environ.get("BOT_SHARED") or Path(__file__).resolve().parents[2] / "shared")

SMALL = [
    "features.names=core", "model.members=1", "model.hidden=[16]", "model.head_hidden=8", "training.epochs=1", "training.batch_size=256",
    "training.min_rows=300", "features.medium_window=30", "features.long_window=40",
    "features.correlation_window=30", "report.bootstrap_samples=100",
    "policy.kind=threshold",
]  # fmt: skip
QUICK = [
    *SMALL, "data.source=synthetic", "synthetic.symbols=3", "synthetic.bars=1200",
    "synthetic.missing=0.01", "training.window_bars=500", "retrain.trigger=every_bars",
    "retrain.every_bars=250", "retrain.at_start=false", "signal.threshold=0.0002",
]  # fmt: skip
"""A synthetic market, and four to five trainings of a network that hardly deserves the name."""


@pytest.fixture(scope="session")
def real_root() -> Path:
    """The folder of real candles, funding and marks; skips where it is not there."""
    return _real(SHARED / "data")


@pytest.fixture(scope="session", params=["recorded", "real"])
def data_root(request: pytest.FixtureRequest) -> Path:
    """A root of candles, funding and marks: that of the fixtures, and the real one."""
    if request.param == "recorded":
        return FIXTURES / "data"
    root: Path = request.getfixturevalue("real_root")
    return root


@pytest.fixture(scope="module", autouse=True)
def own_parts_stay_in_their_file() -> Iterator[None]:
    """Leave no part of a user's own to the next file's tests: they belong to the build of a run."""
    before = plugins.loaded()
    yield
    for name in plugins.loaded().keys() - before.keys():
        plugins.unload(name)


Wire = Callable[[str], str]

LONG = pytest.StashKey[int]()
"""How many long tests were left out."""

_BYBITS = {
    "ws_kline_linear": "ws_kline", "ws_kline_unconfirmed_linear": "ws_kline_unconfirmed",
    "ws_tickers_spot_snapshot": "ws_ticker_spot", "ws_subscribe_ok_spot": "ws_subscribe_ok",
    "ws_subscribe_error_spot": "ws_subscribe_error",
}  # fmt: skip


@pytest.fixture(params=["recorded", "real"])
def wire(request: pytest.FixtureRequest) -> Wire:
    """Give the text of a message by its name: as in the fixtures, and as Bybit documents it."""
    if request.param == "recorded":
        return lambda name: (FIXTURES / "wire" / f"{name}.json").read_text("utf-8")
    folder = SHARED / "data" / "protocol"
    return lambda name: _real(folder / f"{_BYBITS.get(name, name)}.json").read_text("utf-8")


def _real(path: Path) -> Path:
    if not path.exists():
        pytest.skip(f"real data is not here: shared/{path.relative_to(SHARED)}")
    return path


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what can read ../shared by its fixtures, and leave the long tests to who asks for them."""
    for item in items:
        if isinstance(item, pytest.Function) and _reads_shared(item):
            item.add_marker("reads_shared")
    if "long" in config.option.markexpr:
        return
    long = [item for item in items if item.get_closest_marker("long")]
    config.stash[LONG] = len(long)
    items[:] = [item for item in items if item not in long]
    config.hook.pytest_deselected(items=long)


def _reads_shared(item: pytest.Function) -> bool:
    params = item.callspec.params.values() if hasattr(item, "callspec") else ()
    own = {"real_root", "data_root", "wire"} & set(item.fixturenames)
    return bool(own) or any(isinstance(value, str) and value == "real" for value in params)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say at the end what was left out and why, with counts: what is absent is not passed over."""
    terminal = terminalreporter
    why = Counter(str(report.longrepr[-1]) for report in terminal.stats.get("skipped", []))
    long = terminal.config.stash.get(LONG, 0)
    if long:
        terminal.write_line(f"{long} long tests left out; 'scripts/test --all' runs them")
    kinds = Counter[str]()
    for reason, count in why.items():
        kinds[reason.removeprefix("Skipped: ")] += count
    if kinds:
        terminal.write_sep("-", f"{kinds.total()} tests skipped")
    for reason, count in sorted(kinds.items()):
        terminal.write_line(f"{count:4d}  {reason}")


class InlinePool:
    """Train at once and here; what a training gives does not depend on where it runs."""

    def __init__(self, workers: int) -> None:
        pass

    def submit(self, request: TrainingRequest) -> Future[TrainingDone]:
        future: Future[TrainingDone] = Future()
        try:
            future.set_result(run_training(request))
        except BotError as error:
            future.set_exception(error)
        return future

    def shutdown(self) -> None:
        pass


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk on which no file finds room."""

    def full(_descriptor: int, _offset: int, _size: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)


@pytest.fixture
def temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own for temporary files."""
    made = tmp_path / "temporary"
    made.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(made))
    return made


@pytest.fixture(scope="session")
def inline_training() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backtest_module, "TrainingPool", InlinePool)
        yield


@dataclass(frozen=True)
class Ran:
    """A run, its market, and what its journal says."""

    config: Config
    market: RunMarket
    folder: RunFolder
    done: BacktestDone

    def reader(self) -> Record:
        return open_journal(self.folder.journal)

    def equity(self) -> tuple[I64, F64]:
        reader = self.reader()
        times, ledger = reader.ledger()
        reader.close()
        return times, ledger["equity"]

    def models(self) -> list[tuple[str, int, int | None]]:
        reader = self.reader()
        rows = [(m.model_id, m.effective_from, m.due) for m in reader.models()]
        reader.close()
        return rows

    def manifests(self) -> list[dict[str, Any]]:
        paths = [self.folder.models / f"{model_id}.json" for model_id, _, _ in self.models()]
        return [json.loads(path.read_text(encoding="utf-8")) for path in paths]

    def events(self, name: str) -> list[dict[str, Any]]:
        lines = self.folder.log.read_text(encoding="utf-8").splitlines()
        return [event for event in map(json.loads, lines) if event["event"] == name]


RunIt = Callable[..., Ran]


@pytest.fixture(scope="session")
def run_it(tmp_path_factory: pytest.TempPathFactory, inline_training: None) -> RunIt:
    """Run a backtest of QUICK and more settings, as the command does, but for its report.

    `by_row`: into a journal as a daemon's, as versions before columns did.
    """

    def go(
        *sets: str, quick: list[str] = QUICK, path: Path | None = None, by_row: bool = False,
        **given: Any,
    ) -> Ran:  # fmt: skip
        config = load_config(path, [*quick, *sets], {})
        market = read_market(config)
        folder = new_run(config, str(tmp_path_factory.mktemp("run")), "test")
        with open_log(folder.log, config.log.level) as log, pytest.MonkeyPatch.context() as patch:
            if by_row:
                begin = partial(begin_record, durable=False)
                patch.setattr(backtest_module, "begin_backtest", begin)
            job = prepare(config, market, folder, log, lambda done, total: None, **given)
            return Ran(config, market, folder, run_backtest(job))

    return go


@pytest.fixture(scope="session")
def short(run_it: RunIt) -> Ran:
    """The run that most tests read."""
    ran = run_it()
    assert len(ran.models()) >= 3
    return ran


@pytest.fixture(scope="session")
def short_by_row(run_it: RunIt) -> Ran:
    """The same run, recorded by row: its tables can be read with SQLite alone."""
    return run_it(by_row=True)


@pytest.fixture(scope="session")
def inverse_run(run_it: RunIt) -> Ran:
    """A run of inverse contracts, which keeps coins beside its cash."""
    return run_it("market.venue=bybit_inverse")


@dataclass(frozen=True)
class Said:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Cli = Callable[..., Said]


@pytest.fixture
def cli(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], inline_training: None
) -> Cli:
    """Give the command line, run through the real entry in this process."""
    from bot.__main__ import main

    def go(*args: str | Path) -> Said:
        monkeypatch.setattr(sys, "argv", ["bot", *map(str, args)])
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 0
        captured = capsys.readouterr()
        return Said(code, captured.out, captured.err)

    return go


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave pictures out of pages, most of what a page takes: for tests of what else is said."""
    from bot.report.page import html

    monkeypatch.setattr(html, "pictures", lambda run: [])
    monkeypatch.setattr(html, "insights", lambda run: [])
    monkeypatch.setattr(html, "beside", lambda summary: {})


CandleWriter = Callable[..., Path]


@pytest.fixture(scope="session")
def write_market() -> CandleWriter:
    """Write the candles of a block into a folder of files, as a download would leave them."""

    def go(folder: Path, venue: str, symbols: list[str], bars: BarBlock, interval: str) -> Path:
        (folder / "candles").mkdir(parents=True, exist_ok=True)
        for s, symbol in enumerate(symbols):
            seen = bars.valid[:, s]
            names = ("open", "high", "low", "close", "volume")
            frame = pd.DataFrame(
                {"timestamp": bars.open_time[seen]}
                | {name: getattr(bars, name)[seen, s] for name in names}
            )
            write_candles(folder / "candles" / f"{venue}_{symbol}_{interval}.parquet", frame)
        return folder

    return go
