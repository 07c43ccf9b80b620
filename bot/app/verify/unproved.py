"""What a run's folder holds that no replay can show to be right, with the reason for each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bot.adapters.files.commands import FOLDER, STOP_FILE
from bot.adapters.files.manifests import half_saved, load_manifest, trained_on
from bot.adapters.journal.files import COLUMNS, COPIES, OF_SQLITE
from bot.adapters.record.column_arrays import ColumnsAsArrays
from bot.adapters.record.contents import ModelRow
from bot.adapters.record.reading import Record
from bot.adapters.system.atomic_file import is_unfinished
from bot.app.loop.forecasters import TABLE_ID
from bot.app.runs.folder import RunFolder
from bot.errors import ModelError

ALWAYS = (
    ("the bars themselves", "they are taken as the run saw them, wherever they came from"),
    ("the models' weights", "nothing is trained again; they are as they were sealed"),
)
META = {
    "seconds": "a measured time",
    "interrupted": "whether a person stopped it",
}
FILES = {
    "log.jsonl": "written while it ran",
    "report.html": "made from the journal, 'bot report' makes it anew",
    "status.json": "the daemon's last heartbeat",
    "run.lock": "names the daemon",
    "notify.json": "how far 'bot notify' has told",
    "notify.lock": "names nobody: held while 'bot notify' follows the run",
    FOLDER: "what was asked and is not taken yet",
    STOP_FILE: "the kill switch",
}
NUMBERED = {
    "log.jsonl.": FILES["log.jsonl"],
    COPIES: "a copy of the journal before a newer version went on",
}
"""By what stands before a number."""
FOREIGN = "does not belong to the run: nothing that the bot makes"
OF_VERSION_1 = ("mode", "data", "instruments", "given_model", "forecasts")


def not_provable(
    folder: RunFolder, record: Record, models: Sequence[ModelRow]
) -> tuple[tuple[str, str], ...]:
    """Return (what, why) for all that stays unproved."""
    found = list(ALWAYS)
    found += [(f"meta.{key}", why) for key, why in META.items() if key in record.meta]
    if not record.builds() or record.builds()[0].is_seam:
        keys = [key for key in OF_VERSION_1 if key in record.meta]
        found += [(f"meta.{key}", "a journal of version 1 does not seal it") for key in keys]
    extent = record.extent()
    last = None if extent is None else extent.last
    if any(last is None or row.open_time > last for row in record.commands()):
        found.append(("who asked for the newest commands", "the next closed bar's link seals it"))
    newest = record.span("bars").last
    if (
        isinstance(last, int) and isinstance(newest, int) and newest > last
    ):  # a damaged file has texts
        found.append(("the candle of the bar that is open", "its link seals it, at its close"))
    given = [row for row in models if row.due is None and row.model_id != TABLE_ID]
    given += [row for row in models if row.model_id == record.meta.get("given_model")]
    if given:
        names = ", ".join(sorted({row.model_id for row in given}))
        found.append((f"the training rows of {names}", "another run trained it"))
    found += _on_a_gpu(folder, models)
    if TABLE_ID in record.meta:
        found.append(("the forecasts", "they came from a file and are as they were written"))
    found += [
        (f"models/{path.name}", "its training was ended before its manifest; it never decided")
        for path in half_saved(folder.models)
        if path.stem not in {row.model_id for row in models}
    ]
    found += [
        (
            f"{COLUMNS}/{path}",
            "no part of the record: a killed process has left it, or it was put there",
        )
        for path in record.left_over()
    ]
    own = {path.name for path in (folder.config, folder.journal, folder.models)}
    own |= {COLUMNS} if isinstance(record, ColumnsAsArrays) else set()
    for path in sorted(folder.path.iterdir()):
        name = path.name
        if name in own or name in OF_SQLITE:
            continue
        found.append((name, _why(path)))
    return tuple(found)


def _on_a_gpu(folder: RunFolder, models: Sequence[ModelRow]) -> list[tuple[str, str]]:
    """Return (what, why) for the models that were not trained on the CPU, by GPU."""
    by_gpu: dict[str, list[str]] = {}
    for model_id in sorted({row.model_id for row in models} - {TABLE_ID}):
        try:
            told = trained_on(load_manifest(folder.models, model_id))
        except ModelError:
            continue  # the verdict says what is wrong with it
        if told["device"] != "cpu":
            gpu = f"{told.get('name', told['device'])}, CUDA {told.get('cuda')}"
            by_gpu.setdefault(gpu, []).append(model_id)
    return [
        (
            f"the training of {', '.join(names)}",
            f"it was on a GPU ({gpu}), which need not give the same bits again",
        )
        for gpu, names in sorted(by_gpu.items())
    ]


def _why(path: Path) -> str:
    """Return why an entry of the run's folder cannot be proved."""
    if is_unfinished(path):
        return "left half written by a process that was killed"
    if path.is_dir() is (path.name == FOLDER) and path.name in FILES:
        return FILES[path.name]
    numbered = [
        why for begin, why in NUMBERED.items()
        if path.name.startswith(begin) and path.name.removeprefix(begin).isdecimal()
    ]  # fmt: skip
    return numbered[0] if numbered and path.is_file() else FOREIGN
