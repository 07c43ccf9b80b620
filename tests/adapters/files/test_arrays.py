"""Files of arrays that no one of ours wrote: refused by name, at no cost in memory or time."""

from __future__ import annotations

import io as memory
import os
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from bot.adapters.files.arrays import read_arrays, write_arrays
from bot.errors import DataError

SHAPE = "{'descr': '<f8', 'fortran_order': False, 'shape': %s, }"


def npy(header: str, body: bytes = b"", version: int = 1) -> bytes:
    text = header.encode() + b"\n"
    size = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + size + text + body


def npz(member: bytes, compression: int = zipfile.ZIP_STORED) -> bytes:
    packed = memory.BytesIO()
    with zipfile.ZipFile(packed, "w", compression) as members:
        head = memory.BytesIO()
        np.save(head, np.array("{}"))
        members.writestr(zipfile.ZipInfo("head.npy"), head.getvalue())
        members.writestr("value.npy", member)
    return packed.getvalue()


def forged(member: bytes, size: int) -> bytes:
    """Return an npz whose directory says that the last member has so many bytes."""
    packed = npz(member)
    entry = packed.rindex(b"PK\x01\x02")
    return packed[: entry + 20] + struct.pack("<II", size, size) + packed[entry + 28 :]


TWO = npy(SHAPE % "(2,)", bytes(16))

HOSTILE = {
    "terabytes": npz(npy(SHAPE % "(1000000000000,)")),
    "gigabytes": npz(npy(SHAPE % "(5000000000,)", bytes(8))),
    "one number fewer": npz(npy(SHAPE % "(2,)", bytes(8))),
    "one number more": npz(npy(SHAPE % "(2,)", bytes(24))),
    "400 digits": npz(npy(SHAPE % ("(1" + "0" * 400 + ",)"))),
    "below zero": npz(npy(SHAPE % "(-1, -2)", bytes(16))),
    "wraps around": npz(npy(SHAPE % "(4294967296, 4294967296)")),
    "text of gigabytes": npz(npy("{'descr': '|V2000000000', 'fortran_order': False, 'shape': (9,)}")),
    "unclosed": npz(npy("{'descr': '<f8', 'shape': (2L,")),
    "nested": npz(npy("(" * 5000)),
    "a long header": npz(npy(" " * 60_000 + SHAPE % "(1,)", bytes(8), version=2)),
    "objects": npz(npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", bytes(8))),
    "fields": npz(npy("{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (1,)}", bytes(8))),
    "a forged directory": forged(
        npy(SHAPE % "(500000000,)"), 4_000_000_000 + len(npy(SHAPE % "(500000000,)"))
    ),
    "a bomb": npz(npy(SHAPE % "(1000000,)", bytes(8_000_000)), zipfile.ZIP_DEFLATED),
    "lzma": npz(TWO, zipfile.ZIP_LZMA),
}  # fmt: skip


def test_what_is_sound_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(npz(TWO))
    assert read_arrays(path)[1]["value"].tolist() == [0.0, 0.0]
    write_arrays(path, {"a": 1}, {"x": np.zeros((0, 3)), "y": np.float64(2.0), "z": np.eye(2).T})
    head, arrays = read_arrays(path)
    assert head == {"a": 1}
    assert [arrays[name].shape for name in "xyz"] == [(0, 3), (), (2, 2)]


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_hostile_is_refused_by_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(HOSTILE[name])
    with pytest.raises(DataError, match=r"a\.npz: cannot be read .*delete it"):
        read_arrays(path)


def test_a_pipe_is_not_waited_for_and_a_folder_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.npz")
    (tmp_path / "folder.npz").mkdir()
    (tmp_path / "device.npz").symlink_to("/dev/zero")
    for name in ("pipe", "folder", "device", "missing"):
        with pytest.raises(DataError, match=f"{name}.npz: cannot be read"):
            read_arrays(tmp_path / f"{name}.npz")
