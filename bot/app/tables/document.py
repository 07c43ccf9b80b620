"""One symbol of a run in the columns of the user's document."""

from __future__ import annotations

from pathlib import Path

from bot.app.runs.folder import RunFolder
from bot.app.runs.results import read_run
from bot.errors import ConfigError, DataError
from bot.report.export import result_columns


def export_rows(folder: RunFolder, symbol: str, out: str | None) -> str | None:
    """Write a symbol's rows to a .csv or .parquet file, or return them as CSV.

    Raises:
        DataError: the run does not have the symbol.
        ConfigError: the file's ending is neither .csv nor .parquet.
    """
    run = read_run(folder, follow=True)
    if symbol not in run.symbols:
        raise DataError(f"--symbol {symbol}: the run has {', '.join(run.symbols)}")
    frame = result_columns(run, symbol)
    if out is None:
        return str(frame.to_csv(index=False))
    path = Path(out)
    if path.suffix not in {".csv", ".parquet"}:
        raise ConfigError(f"--out {out}: expected a name that ends in .csv or .parquet")
    try:
        if path.suffix == ".csv":
            frame.to_csv(path, index=False)
        else:
            frame.to_parquet(path, index=False)
    except OSError as error:
        raise ConfigError(f"--out {out}: cannot be written: {error.strerror or error}") from None
    return None
