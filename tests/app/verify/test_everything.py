"""Everything that a run's folder claims is changed, one thing at a time, and each change is found.

What there is comes from the folder itself: tables and columns from the schema, facts from `meta`,
fields from the manifests, settings from config.toml. So what is added later is tried too, and has to
be proved by `verify` or named below with the reason why it cannot be.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import tomllib
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import tomli_w

from bot.adapters.files import manifests as registry
from bot.adapters.journal.files import COLUMNS
from bot.adapters.journal.forms import open_journal
from bot.app.runs.edited_settings import edited_settings
from bot.app.runs.folder import RunFolder
from bot.app.verify.proof import Result, Verdict, verify
from bot.errors import BotError, JournalError

if TYPE_CHECKING:
    from tests.app.conftest import LiveRun
    from tests.conftest import RunIt

pytestmark = pytest.mark.no_cover  # says what must hold, not which lines were reached

UNPROVED = {
    "meta.seconds": "a measured time",
    "meta.interrupted": "whether a person stopped it",
}
"""What may change unseen; `verify` says the same."""

TINY = [
    "synthetic.symbols=2", "synthetic.bars=110", "synthetic.missing=0.01", "features.window=5",
    "features.medium_window=6", "features.long_window=8", "features.correlation_window=6",
    "model.hidden=[4]", "model.head_hidden=2", "training.min_rows=20", "training.window_bars=60",
    "training.batch_size=32", "retrain.every_bars=30", "retrain.latency_bars=2",
    "signal.threshold=0.0", "data.start=2023-01-03",
]  # fmt: skip

KINDS = ("backtest", "backtest_by_row", "live")


@pytest.fixture(scope="module", params=KINDS)
def whole(request: pytest.FixtureRequest) -> RunFolder:
    folder: RunFolder = request.getfixturevalue(f"tiny_{request.param}")
    return folder


@pytest.fixture(scope="module")
def tiny_backtest(run_it: RunIt) -> RunFolder:
    folder = run_it(*TINY).folder
    folder.report.write_text("<html>", "utf-8")
    return folder


@pytest.fixture(scope="module")
def tiny_backtest_by_row(run_it: RunIt) -> RunFolder:
    folder = run_it(*TINY, by_row=True).folder
    folder.report.write_text("<html>", "utf-8")
    return folder


@pytest.fixture(scope="module")
def tiny_live(
    run_it: RunIt, tmp_path_factory: pytest.TempPathFactory, live_of: Callable[..., LiveRun]
) -> RunFolder:
    """Lived through by two builds, and killed between an open and its close."""
    ran = run_it(*TINY)
    live = live_of(ran, RunFolder(tmp_path_factory.mktemp("tiny") / "run"))
    bars, first = ran.market.bars, ran.market.start_index
    live.warm(bars.rows(0, first))
    live.start(int(bars.open_time[first]))
    for i in range(first, len(bars) - 1):
        bar = bars.rows(i, i + 1)
        if i in (first + 10, first + 21):
            live.ask("pause", bar, inside=False)
        row = live.open(bar)
        if i in (first + 12, first + 24):
            live.ask("resume", bar, inside=True)
        if i == first + 24:
            live.ask("unreadable", bar, inside=True, refused="it is no JSON")
        live.close(row, bar)
        if i == first + 20:
            live.restart(build="another")
    live.open(bars.rows(len(bars) - 1, len(bars)))
    live.journal.close()
    return live.folder


@pytest.fixture
def copy(whole: RunFolder, tmp_path: Path) -> RunFolder:
    return RunFolder(Path(shutil.copytree(whole.path, tmp_path / "run")))


def proved(folder: RunFolder) -> Verdict | None:
    """Return the verdict, None where the folder is refused."""
    try:
        return verify(folder)
    except BotError:
        return None


def seen(folder: RunFolder) -> bool:
    verdict = proved(folder)
    return verdict is None or verdict.result is not Result.IDENTICAL


def test_the_runs_are_worth_it(whole: RunFolder) -> None:
    verdict = verify(whole)
    assert verdict.identical, verdict
    assert verdict.fills >= 3
    assert verdict.models >= 2
    told = {what for what, _ in verdict.unproved}
    assert ("the candle of the bar that is open" in told) is ("tiny" in whole.path.parts[-2])
    with open_journal(whole.journal) as snapshot:
        assert {key for key in UNPROVED if key[5:] in snapshot.meta} == {
            what for what in told if what.startswith("meta.")
        }


def changed(value: Any) -> Any:
    """Return another value of the same kind."""
    if value is None:
        return 1.0
    if isinstance(value, bytes):
        return value[:-1] + bytes([value[-1] ^ 1])
    if isinstance(value, str):
        return value[:-1] + ("1" if value[-1:] != "1" else "2")
    return value * (1.0 + 2**-50) if isinstance(value, float) and value else value + 1


def changes(folder: RunFolder) -> Iterator[tuple[str, str, tuple[Any, ...]]]:
    """Yield (name, statement, values): each column of each table, each row, each fact."""
    with closing(sqlite3.connect(folder.journal)) as db:
        tables = db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
        [mode] = db.execute("SELECT value FROM meta WHERE key = 'mode'").fetchone()
        for (table,) in tables:
            columns = db.execute(f"PRAGMA table_info({table})").fetchall()
            keys = [c[1] for c in sorted(columns, key=lambda c: c[5]) if c[5]]
            order = ", ".join(keys)
            count = db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            if table == "commands" and mode == "backtest":
                asked = (1, "x", "pause", "{}", "ann", 1, 1_672_531_200_000, 0, None)
                marks = ", ".join("?" * len(asked))
                yield "commands: a row more", f"INSERT INTO commands VALUES ({marks})", asked
                continue
            assert count, f"table {table} is empty: the run is not worth it"
            names = [c[1] for c in columns]
            quoted = ", ".join(f'"{name}"' for name in names)
            row: tuple[Any, ...] = ()
            places = range(count) if table == "meta" else [count // 2]
            for place in places:
                row = db.execute(
                    f"SELECT {quoted} FROM {table} ORDER BY {order} LIMIT 1 OFFSET {place}"
                ).fetchone()
                at = " AND ".join(f"{key} = ?" for key in keys)
                own = tuple(row[names.index(key)] for key in keys)
                for name, value in zip(names, row, strict=True):
                    told = f"meta.{row[0]}" if table == "meta" else f"{table}.{name}"
                    yield (
                        f"{told}" if table != "meta" or name == "value" else f"{told} (key)",
                        f'UPDATE {table} SET "{name}" = ? WHERE {at}',
                        (changed(value), *own),
                    )
                yield f"{table}: no row {own}", f"DELETE FROM {table} WHERE {at}", own
            marks = ", ".join("?" * len(names))
            more = [changed(v) if n == keys[0] else v for n, v in zip(names, row, strict=True)]
            if isinstance(more[names.index(keys[0])], int):
                more[names.index(keys[0])] += 10**9
            yield f"{table}: a row more", f"INSERT INTO {table} VALUES ({marks})", tuple(more)
            yield f"{table}: a column more", f"ALTER TABLE {table} ADD COLUMN more INTEGER", ()
        yield "a table more", "CREATE TABLE more (x)", ()
        if not (folder.path / COLUMNS).exists():
            yield "an index less", "DROP INDEX fills_by_time", ()
        yield "a trigger", "CREATE TRIGGER t AFTER INSERT ON models BEGIN SELECT 1; END", ()


def test_each_change_of_the_journal_is_found(copy: RunFolder, whole: RunFolder) -> None:
    unseen, tried, content = [], 0, whole.journal.read_bytes()
    for name, statement, values in list(changes(whole)):
        copy.journal.write_bytes(content)
        for ending in ("-wal", "-shm"):
            Path(f"{copy.journal}{ending}").unlink(missing_ok=True)
        with closing(sqlite3.connect(copy.journal)) as db:
            try:
                assert db.execute(statement, values).rowcount != 0
                db.commit()
            except sqlite3.IntegrityError:
                continue  # SQLite itself does not take it
        tried += 1
        if not seen(copy):
            unseen.append(name)
    assert tried > (60 if (whole.path / COLUMNS).exists() else 120)
    told = {name for name in unseen if name not in UNPROVED}
    assert not told
    if "backtest" in str(whole.path):
        assert set(unseen) == set(UNPROVED)


def text_of(manifest: dict[str, Any]) -> bytes:
    return (json.dumps(manifest, indent=1, sort_keys=True) + "\n").encode()


def resealed(path: Path, manifest: dict[str, Any]) -> None:
    manifest.pop("manifest_sha256", None)
    seal = hashlib.sha256(text_of(manifest)).hexdigest()
    path.write_bytes(text_of(manifest | {"manifest_sha256": seal}))


def other(value: Any) -> Any:
    if isinstance(value, bool) or value is None:
        return 1
    if isinstance(value, dict):
        return value | {"more": 1.0}
    if isinstance(value, list):
        return [*value, value[0]] if value else [1]
    return value + "x" if isinstance(value, str) else value + 1


@pytest.mark.parametrize("sealed", [False, True], ids=["as it is", "sealed anew"])
def test_each_field_of_a_manifest_is_proved(copy: RunFolder, *, sealed: bool) -> None:
    path = sorted(copy.models.glob("*.json"))[0]
    content = path.read_bytes()
    for field, value in json.loads(content).items():
        manifest = json.loads(content) | {field: other(value)}
        if sealed:
            resealed(path, manifest)
        else:
            path.write_bytes(text_of(manifest))
        if sealed and field == "manifest_sha256":
            continue
        assert seen(copy), field
        manifest.pop(field)
        if sealed:
            resealed(path, manifest)
            assert seen(copy), f"without {field}"
    path.write_bytes(content)


def test_each_field_of_the_rows_is_proved_though_the_journal_were_changed_too(
    copy: RunFolder,
) -> None:
    """The digest in the journal goes along with the forger; the rows are cut again from the bars."""
    path = next(p for p in sorted(copy.models.glob("*.json")) if is_activated(copy, p.stem))
    content = path.read_bytes()
    for field in ("data_sha256", "rows", "first_ms", "last_ms", "seed", "interval"):
        resealed(path, json.loads(content) | {field: other(json.loads(content)[field])})
        with closing(sqlite3.connect(copy.journal)) as db:
            db.execute(
                "UPDATE models SET manifest_sha256 = ? WHERE model_id = ?",
                (registry.manifest_sha256(copy.models, path.stem), path.stem),
            )
            db.commit()
        verdict = proved(copy)
        if verdict is not None:  # what another build trained is named as its own to prove
            named = [verdict.difference, *(each.difference for each in verdict.stretches)]
            assert {each.field for each in named if each is not None} <= {field, "file"}
            assert any(named), field


def is_activated(folder: RunFolder, model_id: str) -> bool:
    with open_journal(folder.journal) as snapshot:
        return model_id in {row.model_id for row in snapshot.models()}


def test_a_model_that_decides_too_early_is_found(copy: RunFolder) -> None:
    """On the bar of its due, and on the one behind it: latency_bars is 2."""
    with closing(sqlite3.connect(copy.journal)) as db:
        due, at = db.execute("SELECT due, effective_from FROM models WHERE position = 2").fetchone()
        assert at == due + 2 * 3_600_000
        for bars in (0, 1):
            early = due + bars * 3_600_000
            db.execute("UPDATE models SET effective_from = ? WHERE position = 2", (early,))
            db.commit()
            found = verify(copy).difference
            assert found is not None
            assert (found.table, found.field, found.open_time) == (
                "models",
                "effective_from",
                early,
            )
            assert "latency_bars" in found.replayed


def test_a_model_that_was_not_due_is_found(copy: RunFolder) -> None:
    """Its manifest and its seal go along with the forger."""
    with closing(sqlite3.connect(copy.journal)) as db:
        model_id, due = db.execute("SELECT model_id, due FROM models WHERE position = 2").fetchone()
        path = copy.models / f"{model_id}.json"
        manifest = json.loads(path.read_text("utf-8"))
        for bars in (-1, 1):
            moved = due + bars * 3_600_000
            resealed(path, manifest | {"due_ms": moved})
            sealed = registry.manifest_sha256(copy.models, model_id)
            db.execute(
                "UPDATE models SET due = ?, effective_from = ?, manifest_sha256 = ? WHERE position = 2",
                (moved, moved + 2 * 3_600_000, sealed),
            )
            db.commit()
            verdict = verify(copy)
            named = [verdict.difference, *(each.difference for each in verdict.stretches)]
            told = next(each for each in named if each is not None)
            assert (told.table, told.field, told.stored) == ("models", "due", moved)
            assert "every_bars" in told.replayed


def test_a_model_of_the_run_cannot_pass_for_another_runs(copy: RunFolder) -> None:
    """Without a due bar nothing would be held against it."""
    with closing(sqlite3.connect(copy.journal)) as db:
        db.execute("UPDATE models SET due = NULL WHERE position = 2")
        db.commit()
    found = verify(copy).difference
    assert found is not None
    assert (found.table, found.field) == ("models", "due")


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE meta SET value = '1' WHERE key = 'config_toml'",
        "UPDATE meta SET value = x'00' WHERE key = 'config_toml'",
        "UPDATE meta SET key = x'00' WHERE key = 'instruments'",
    ],
)
def test_facts_of_another_kind_are_no_traceback(copy: RunFolder, sql: str) -> None:
    with closing(sqlite3.connect(copy.journal)) as db:
        db.execute(sql)
        db.commit()
    assert seen(copy)


def test_each_setting_is_held_against_those_the_run_was_made_with(copy: RunFolder) -> None:
    text = copy.config.read_text("utf-8")
    settings = tomllib.loads(text)
    with open_journal(copy.journal) as snapshot:
        assert edited_settings(copy, snapshot.meta) == ()
        for section, values in settings.items():
            if not isinstance(values, dict):  # a setting outside a section
                copy.config.write_text(tomli_w.dumps(settings | {section: other(values)}), "utf-8")
                assert edited_settings(copy, snapshot.meta) == (section,)
                continue
            for key, value in values.items():
                edited = settings | {section: values | {key: other(value)}}
                copy.config.write_text(tomli_w.dumps(edited), "utf-8")
                assert edited_settings(copy, snapshot.meta) == (f"{section}.{key}",)
            copy.config.write_text(tomli_w.dumps(settings | {section: {}}), "utf-8")
            assert edited_settings(copy, snapshot.meta) == tuple(
                sorted(f"{section}.{k}" for k in values)
            )


def test_a_setting_that_changes_nothing_is_told_all_the_same(copy: RunFolder) -> None:
    """The rows are the same; that the run was made under these settings is not so."""
    text = copy.config.read_text("utf-8")
    old = next(line for line in text.splitlines() if line.startswith("heartbeat_s"))
    copy.config.write_text(text.replace(old, "heartbeat_s = 59.0"), "utf-8")
    verdict = verify(copy)
    assert verdict.difference is None
    assert verdict.result is Result.OTHER_SETTINGS
    assert verdict.settings == ("log.heartbeat_s",)
    assert verdict.result.exit_code == 7
    assert verdict.as_json()["identical"] is False


def test_every_file_is_proved_or_named(copy: RunFolder) -> None:
    (copy.path / "log.jsonl").write_text("{}\n", "utf-8")
    (copy.path / "status.json").write_text("{}", "utf-8")
    (copy.path / "notes.txt").write_text("mine", "utf-8")
    named = {what for what, _ in verify(copy).unproved}
    for path in sorted(p for p in copy.path.rglob("*") if p.is_file()):
        if path.name in named or path.name.endswith(("-shm", "-wal")):
            continue
        content = path.read_bytes()
        path.unlink()
        assert seen(copy), f"{path.name} is gone"
        if path.name != "journal.db":  # SQLite reads no more pages than it has
            path.write_bytes(content + b"x")
            assert seen(copy), f"{path.name} has a byte more"
        path.write_bytes(content)
    (copy.models / "more.json").write_text("{}", "utf-8")
    assert seen(copy)


@pytest.mark.parametrize("name", ["x.bin", "x", "x.json/", "x.safetensors/", "x/", "OWN.more.json"])
def test_what_does_not_belong_to_the_models_is_told_as_that(copy: RunFolder, name: str) -> None:
    own = next(path.stem for path in copy.models.glob("*.json"))
    extra = copy.models / name.replace("OWN", own)
    if name.endswith("/"):
        extra.mkdir()
    else:
        shutil.copy(copy.models / f"{own}.json", extra)
    found = verify(copy).difference
    assert found is not None
    if name.startswith("OWN"):  # it looks like the manifest of another model
        assert str(found).startswith("models.file: the run has ")
        assert f"{own}.more" in str(found)
        return
    assert str(found) == (
        f"models.file: the run has models/{extra.name}, the replay none such: it does not belong to the run"
    )


@pytest.mark.parametrize("late", ["x", 2, 0.5, b"\0"])
def test_a_model_is_late_or_is_not(copy: RunFolder, late: Any) -> None:
    """What is merely true in Python is no 1: the cell was changed."""
    with closing(sqlite3.connect(copy.journal)) as db:
        db.execute("UPDATE models SET late = ?", (late,))
        db.commit()
    with pytest.raises(JournalError, match="table models has late = "):
        verify(copy)


def test_what_does_not_belong_to_the_run_is_named(copy: RunFolder) -> None:
    """A name that only begins like one of the bot's own is foreign too."""
    foreign = ["STOP_TRADING.bak", "log.jsonl.old", "status.json.1", "journal.db.vx", "mine.txt"]
    for name in foreign:
        (copy.path / name).write_text("x", "utf-8")
    for name in ("folder", "report.html.d", "notify.json"):
        (copy.path / name).mkdir()
    for name in ("log.jsonl", "log.jsonl.1", "journal.db.v4", ".status.json.part-1.json"):
        (copy.path / name).write_text("x", "utf-8")
    told = dict(verify(copy).unproved)
    for name in (*foreign, "folder", "report.html.d", "notify.json"):
        assert told[name] == "does not belong to the run: nothing that the bot makes", name
    assert told["log.jsonl.1"] == told["log.jsonl"] == "written while it ran"
    assert told["journal.db.v4"].startswith("a copy of the journal")
    assert told[".status.json.part-1.json"].startswith("left half written")


def test_the_results_have_stable_codes() -> None:
    assert {str(result): result.exit_code for result in Result} == {
        "identical": 0,
        "different": 1,
        "identical, but under other settings": 7,
        "identical, but for stretches of other builds": 8,
    }


def test_half_a_model_of_a_training_that_was_killed_is_named(copy: RunFolder) -> None:
    """The manifest is the last to be written: until then nothing knows the model."""
    made = next(p for p in sorted(copy.models.glob("*.safetensors")) if is_activated(copy, p.stem))
    half = made.with_name(f"{'0' * 16}.safetensors")
    shutil.copy(made, half)
    verdict = verify(copy)
    assert verdict.identical
    assert [what for what, _ in verdict.unproved if half.name in what] == [f"models/{half.name}"]
    made.with_suffix(".json").unlink()
    found = verify(copy).difference
    assert found is not None
    assert (found.table, found.field, found.replayed) == ("models", "file", f"model {made.stem}")
