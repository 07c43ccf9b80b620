"""The register of trials: nothing entered is lost, nothing is counted twice, and what is broken is named."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.adapters.files import trials
from bot.adapters.files.trials import Outcome, Trial, enter, read

HOUR_MS = 3_600_000
TRIAL = Trial(
    kind="backtest", where="a", digest="d", settings={"policy.kind": "threshold"}, source="files",
    symbols=("bybit_linear:BTCUSDT",), interval="1h", start_ms=0, end_ms=100 * HOUR_MS,
    periods_per_year=8760.0, outcomes=(Outcome("", 0.125, 0.01, 100, skew=-0.5, kurtosis=4.0),),
    time_ms=1_700_000_000_000,
)  # fmt: skip
NOTHING_EARNED = Outcome("flat", 0.0, None, 100, settings={"signal.threshold": 1.0})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / trials.NAME


def test_what_is_entered_is_read_back(path: Path) -> None:
    of_two = replace(TRIAL, kind="compare", outcomes=(*TRIAL.outcomes, NOTHING_EARNED))
    assert enter(path, TRIAL)
    assert enter(path, of_two)
    assert read(path) == ([TRIAL, of_two], ())
    assert read(path.with_name("none")) == ([], ())


def test_a_line_can_be_read_by_people(path: Path) -> None:
    enter(path, TRIAL)
    line = json.loads(path.read_text("utf-8"))
    assert (line["from"], line["to"]) == ("1970-01-01 00:00", "1970-01-05 04:00")
    assert line["outcomes"][0]["sharpe_annual"] == pytest.approx(0.01 * 8760**0.5)


def test_the_same_settings_on_the_same_bars_are_one_trial(path: Path) -> None:
    assert enter(path, TRIAL)
    assert not enter(path, replace(TRIAL, where="elsewhere", time_ms=TRIAL.time_ms + 1))
    assert read(path)[0] == [TRIAL]
    for other in ({"digest": "e"}, {"end_ms": 101 * HOUR_MS}, {"symbols": ("x:Y",)}):
        assert enter(path, replace(TRIAL, **other))
    assert len(read(path)[0]) == 4


def test_another_outcome_of_the_same_trial_takes_its_place_and_is_not_lost(path: Path) -> None:
    enter(path, TRIAL)
    newer = replace(TRIAL, where="again", outcomes=(replace(TRIAL.outcomes[0], net_return=0.5),))
    assert enter(path, newer)
    assert read(path)[0] == [newer]
    assert not enter(path, TRIAL), "a report on the old run would put it back"
    assert read(path)[0] == [newer]
    assert len(path.read_bytes().splitlines()) == 2


TIMES = st.integers(0, 12)
NAMES = st.sets(st.sampled_from(["v:A", "v:B", "w:A"]), min_size=1)


@given(st.tuples(TIMES, TIMES), st.tuples(TIMES, TIMES), NAMES, NAMES, st.booleans())
def test_the_same_data_is_a_symbol_at_a_time_that_both_saw(
    a: tuple[int, int], b: tuple[int, int], ours: set[str], theirs: set[str], made: bool
) -> None:
    one, other = (
        replace(TRIAL, start_ms=min(span), end_ms=max(span) + 1, symbols=tuple(sorted(names)))
        for span, names in ((a, ours), (b, theirs))
    )
    other = replace(other, source="synthetic 1" if made else "files", interval="1d")

    def seen(t: Trial) -> set[tuple[str, str, int]]:
        return {(t.source, s, ms) for s in t.symbols for ms in range(t.start_ms, t.end_ms)}

    assert one.same_data(other) is bool(seen(one) & seen(other))
    assert other.same_data(one) is one.same_data(other)


def test_eight_processes_at_once_lose_nothing(path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", program(8, 15), str(path)], check=False)
    assert done.returncode == 0
    found, faults = read(path)
    assert faults == ()
    assert {t.digest for t in found} == {f"{p} {k}" for p in range(8) for k in range(15)}
    assert len(path.read_bytes().splitlines()) == 8 * 15, "each was entered by two"


def program(processes: int, each: int) -> str:
    """Return a program of so many processes, of which each enters its own and its neighbour's."""
    return textwrap.dedent(f"""
        import os, sys
        from dataclasses import replace
        from pathlib import Path
        from bot.adapters.files.trials import Outcome, Trial, enter
        trial = Trial("backtest", "a", "", {{}}, "files", ("v:A",), "1h", 0, 3600000, 8760.0,
                      (Outcome("", 0.1, 0.01, 100),), 0)
        path = Path(sys.argv[1])
        print("ready", flush=True)
        children = []
        for p in range({processes}):
            child = os.fork()
            if not child:
                for k in range({each}):
                    for whose in (p, (p + 1) % {processes}):
                        enter(path, replace(trial, digest=f"{{whose}} {{k}}"))
                os._exit(0)
            children.append(child)
        sys.exit(sum(os.waitpid(child, 0)[1] for child in children))
        """)


def test_killed_at_any_moment_the_entries_before_are_whole(path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", program(1, 100_000), str(path)],
        stdout=subprocess.PIPE, start_new_session=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        process.stdout.readline()
        while not path.exists() or path.stat().st_size < 2000:
            assert process.poll() is None
            time.sleep(0.001)
        os.killpg(process.pid, signal.SIGKILL)
    found, faults = read(path)
    assert [t.digest for t in found] == [f"0 {k}" for k in range(len(found))]
    assert len(found) >= 3
    assert len(faults) <= 1
    assert enter(path, TRIAL)
    assert read(path)[0][-1] == TRIAL


def test_half_a_last_line_is_named_and_what_follows_is_whole(path: Path) -> None:
    """Cut as a killed process leaves it, at every byte."""
    enter(path, TRIAL)
    whole = path.read_bytes()
    later = replace(TRIAL, digest="later")
    for cut in [*range(1, len(whole), 7), len(whole) - 1]:
        path.write_bytes(whole + whole[:cut])
        found, faults = read(path)
        assert found == [TRIAL]
        assert len(faults) == (cut < len(whole) - 1), cut
        enter(path, later)
        found, faults = read(path)
        assert found == [TRIAL, later]
        assert all(fault.startswith(f"{path}, line 2: no entry of a trial") for fault in faults)
        assert path.read_bytes().startswith(whole + whole[:cut]), "nothing recorded is lost"


def entry(**changed: Any) -> dict[str, Any]:
    return {**TRIAL.as_json(), **changed}


@pytest.mark.parametrize(
    "line",
    [
        "[]", "nonsense", "\x00\x00", "[" * 100_000, json.dumps(entry(layout=2)),
        json.dumps(entry(kind="guess")), json.dumps(entry(interval="7h")),
        json.dumps(entry(symbols="BTC")), json.dumps(entry(symbols=[1])),
        json.dumps(entry(outcomes=[])), json.dumps(entry(outcomes={"a": 1})),
        json.dumps(entry(start_ms=1.5)), json.dumps(entry(start_ms=True)),
        json.dumps(entry(end_ms=0)), json.dumps(entry(periods_per_year=float("nan"))),
        json.dumps(entry(settings=None)), json.dumps({"layout": 1}), "1" * 5000,
        json.dumps(entry(outcomes=[{**TRIAL.as_json()["outcomes"][0], "sharpe_per_bar": "big"}])),
    ],
)  # fmt: skip
def test_a_line_that_is_no_entry_hides_nothing(path: Path, line: str) -> None:
    enter(path, TRIAL)
    with path.open("a", encoding="utf-8") as file:
        file.write(line + "\n\n")
    enter(path, replace(TRIAL, digest="later"))
    found, faults = read(path)
    assert len(found) == 2
    assert len(faults) == 1
    assert faults[0].startswith(f"{path}, line 2: no entry of a trial")


def test_bytes_that_are_no_text_hide_nothing(path: Path) -> None:
    enter(path, TRIAL)
    path.write_bytes(b"\xff\xfe{\n" + path.read_bytes())
    found, faults = read(path)
    assert found == [TRIAL]
    assert len(faults) == 1


def test_a_full_disk_leaves_the_register_as_it_was(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter(path, TRIAL)
    before, write = path.read_bytes(), os.write

    def fills_up(descriptor: int, data: bytes) -> int:
        if len(data) < 200:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, data[: len(data) // 2])

    monkeypatch.setattr(os, "write", fills_up)
    with pytest.raises(OSError, match="No space"):
        enter(path, replace(TRIAL, digest="later"))
    assert path.read_bytes() == before


def test_who_holds_the_lock_is_waited_for_and_not_for_ever(path: Path) -> None:
    enter(path, TRIAL)
    waits: list[float] = []
    with path.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(TimeoutError, match="another process holds its lock"):
            enter(path, replace(TRIAL, digest="later"), waits.append)
        with pytest.raises(TimeoutError):
            read(path, waits.append)

        def lets_go(_: float) -> None:
            fcntl.flock(other, fcntl.LOCK_UN)

        assert enter(path, replace(TRIAL, digest="later"), lets_go)
    assert sum(waits) < 60


def test_a_pipe_in_the_registers_place_is_not_waited_for(path: Path) -> None:
    os.mkfifo(path)
    assert read(path) == ([], ())
    with pytest.raises(OSError, match=r"."):
        enter(path, TRIAL)
