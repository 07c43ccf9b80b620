"""A backtest whose bars are never held at once: the same run as of bars in memory."""

from __future__ import annotations

import itertools
from dataclasses import fields, replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.app.backtest import preparing
from bot.app.backtest.bar_source import (
    BarsOfFiles,
    HeldBars,
    MadeBars,
    UniverseBars,
    begun_anew,
)
from bot.app.backtest.job import run_backtest
from bot.app.backtest.market_facts import MarketFacts
from bot.app.backtest.preparing import open_market, prepare, read_market
from bot.app.runs.folder import new_run
from bot.blocks import BarBlock
from bot.config import load_config
from bot.config.schema import Synthetic
from bot.log import open_log
from bot.practice.synthetic import START_MS, synthetic_bars
from bot.timegrid import HOUR_MS, cut
from tests.conftest import QUICK, Ran

UNIVERSE = (
    "market.universe=top 2 by turnover over 2 days, listed 1 day", "synthetic.symbols=4",
)  # fmt: skip


@pytest.mark.usefixtures("inline_training")
def test_a_streamed_run_leaves_what_a_held_one_does(
    short: Ran, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparing, "HELD_SYMBOL_BARS", 0)
    config = load_config(None, [*QUICK, "run.block_bars=100"], {})
    market = open_market(config)
    assert isinstance(market.source, MadeBars)
    folder = new_run(config, str(tmp_path_factory.mktemp("streamed")), "test")
    with open_log(folder.log, config.log.level) as log:
        done = run_backtest(prepare(config, market, folder, log, lambda _done, _total: None))
    ran = Ran(config, read_market(config), folder, done)
    assert done.ledger_sha256 == short.done.ledger_sha256
    assert ran.models() == short.models()
    mine, theirs = ran.reader(), short.reader()
    for name in ("bars", "fills"):
        a, b = getattr(mine, name)(), getattr(theirs, name)()
        if isinstance(a, BarBlock):
            for field in fields(a):
                np.testing.assert_array_equal(getattr(a, field.name), getattr(b, field.name))
        else:
            assert a.tobytes() == b.tobytes()
    mine.close()
    theirs.close()
    assert ran.events("history_loaded")[0]["bars"] == short.events("history_loaded")[0]["bars"]


@pytest.mark.parametrize("more", [(), UNIVERSE, ("data.history_start=2023-01-02",)])
def test_every_cut_gives_the_same_bars(
    more: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = load_config(None, [*QUICK, "synthetic.bars=500", "synthetic.missing=0.1", *more], {})
    whole = read_market(config).bars
    monkeypatch.setattr(preparing, "HELD_SYMBOL_BARS", 0)
    source = open_market(config).source
    assert not isinstance(source, HeldBars | BarsOfFiles)
    assert isinstance(source, UniverseBars) is (more == UNIVERSE)
    for rows in (500, 77, 1):
        blocks = list(source.blocks(rows))
        assert max(len(block) for block in blocks) <= rows
        again = BarBlock.concat(blocks)
        for field in fields(BarBlock):
            np.testing.assert_array_equal(getattr(again, field.name), getattr(whole, field.name))


@given(st.integers(1, 250), st.integers(0, 200), st.integers(1, 250))
@settings(max_examples=60)
def test_blocks_are_counted_anew_from_the_start(rows: int, start: int, read: int) -> None:
    bars = gappy()
    ends = bars.open_time[start - 1 : start].tolist() if start else []
    expected = [block.open_time.tolist() for block in cut([bars], rows, ends)]
    found = begun_anew(HeldBars(bars).blocks(read), rows, start)
    assert [block.open_time.tolist() for block in found] == expected


@cache
def gappy() -> BarBlock:
    bars = synthetic_bars(Synthetic(symbols=3, bars=200, missing=0.3), HOUR_MS)
    in_session = bars.in_session.copy()
    in_session[50:70] = False
    funding = np.where(np.arange(200)[:, None] % 9 == 0, np.nan, bars.funding_rate)
    return replace(bars, in_session=in_session, funding_rate=funding)


@given(st.lists(st.integers(1, 199), max_size=12), st.integers(0, 199), st.integers(0, 2**32 - 1))
@settings(max_examples=60)
def test_facts_do_not_depend_on_the_cut(cuts: list[int], start: int, seed: int) -> None:
    bars = gappy()
    members = np.random.default_rng(seed).random((200, 3)) < 0.8
    start_ms = int(bars.open_time[start])
    whole, cut = (MarketFacts.of(("A", "B", "C"), start_ms) for _ in range(2))
    whole.see(bars, members)
    edges = sorted({0, *cuts, 200})
    for a, b in itertools.pairwise(edges):
        cut.see(bars.rows(a, b), members[a:b])
    assert cut.start_index == whole.start_index == start
    assert (cut.missing, cut.funding_unknown, cut.changes) == (
        whole.missing, whole.funding_unknown, whole.changes,
    )  # fmt: skip
    np.testing.assert_array_equal(cut.open_time, whole.open_time)
    np.testing.assert_array_equal(cut.members, whole.members)
    for name, known in whole.known.items():
        np.testing.assert_array_equal(cut.known[name], known)
    np.testing.assert_array_equal(cut.lacks_variance, whole.lacks_variance)


def test_facts_are_those_counted_by_hand() -> None:
    bars = gappy()
    facts = MarketFacts.of(("A", "B", "C"), int(bars.open_time[20]))
    facts.see(bars, np.ones((200, 3), dtype=np.bool_))
    expected = 0
    for s in range(3):
        at = np.flatnonzero(bars.valid[:, s])
        inside = range(int(at[0]), int(at[-1]))
        expected += sum(not bars.valid[i, s] and bool(bars.in_session[i, s]) for i in inside)
    assert facts.missing == expected
    traded = bars.valid[20:] & np.isnan(bars.funding_rate[20:])
    assert facts.funding_unknown == int(traded.sum()) + int(
        bars.funding_inside_unknown[20:][bars.valid[20:]].sum()
    )
    assert facts.changes == 0
    assert facts.open_time[0] == START_MS
