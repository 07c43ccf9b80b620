"""Named arrays with a JSON head in one file: numpy's npz, and never a pickle.

Rules: a file that lies in a folder may come from anybody, so reading it runs nothing of it; what is
not numbers, or not whole, is refused by name. A file appears whole or not at all.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bot.adapters.system.atomic_file import replacing
from bot.errors import DataError

Arrays = dict[str, npt.NDArray[Any]]

_HEAD = "head"
_NUMBERS = "biuf"


def write_arrays(path: Path, head: Mapping[str, Any], arrays: Mapping[str, Any]) -> None:
    """Write arrays of numbers under their names, and the head as JSON."""
    with replacing(path, durable=False) as temporary, open(temporary, "wb") as file:
        np.savez(file, **{_HEAD: np.array(json.dumps(head))}, **arrays)  # type: ignore[arg-type]


def read_arrays(path: Path) -> tuple[dict[str, Any], Arrays]:
    """Return the head and the arrays.

    Raises:
        DataError: the file is damaged, foreign, or holds more than numbers.
    """
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as members:
            found = {
                name.removesuffix(".npy"): _array(members, name) for name in members.namelist()
            }
        head = json.loads(str(found.pop(_HEAD)[()]))
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, RuntimeError) as error:
        raise _refused(path, str(error) or type(error).__name__) from error
    odd = [name for name, array in found.items() if array.dtype.kind not in _NUMBERS]
    if odd or not isinstance(head, dict):
        raise _refused(path, f"{', '.join(odd) or _HEAD} is not what this bot writes")
    return head, found


def _array(members: zipfile.ZipFile, name: str) -> npt.NDArray[Any]:
    with members.open(name) as member:
        array: npt.NDArray[Any] = np.lib.format.read_array(member, allow_pickle=False)
    return array


def _refused(path: Path, what: str) -> DataError:
    return DataError(f"{path}: cannot be read ({what}); delete it, and it is made anew")
