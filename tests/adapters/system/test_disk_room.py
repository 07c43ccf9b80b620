"""Room on the disk: arrays in files without a name, which a process that is started can map."""

from __future__ import annotations

import gc
import multiprocessing
import os
import pickle
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest

from bot.adapters.system.disk_room import FILE_BYTES, DiskRoom, SentArrays
from bot.errors import JournalError


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_arrays_hold_what_is_written_and_leave_no_file(tmp_path: Path) -> None:
    before, room = open_files(), DiskRoom(tmp_path, least_bytes=0)
    whole = np.arange(3_000.0).reshape(1_000, 3)
    one, flags = room.kept(whole), room.empty(7, np.bool_)
    flags[:] = [True, False, True, True, False, False, True]
    np.testing.assert_array_equal(one, whole)
    assert flags.sum() == 4
    assert one.flags.c_contiguous
    assert one.flags.writeable
    assert list(tmp_path.iterdir()) == []
    assert open_files() > before
    del one, flags
    gc.collect()
    assert open_files() == before


def test_an_array_that_fits_no_file_gets_its_own_and_small_ones_stay_in_memory(
    tmp_path: Path,
) -> None:
    room = DiskRoom(tmp_path)
    small, large = room.empty(10), room.empty(FILE_BYTES // 8 + 1)
    assert room.place_of(small) is None
    place = room.place_of(large)
    assert place is not None
    assert os.fstat(place[0]).st_size == large.nbytes
    tail = room.place_of(large[5:])
    assert tail is not None
    assert tail[1] == place[1] + 40
    assert room.place_of(large[::2]) is None


@pytest.mark.usefixtures("full_disk")
def test_a_full_disk_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(
        JournalError, match=r"no room for 80 MB of rows \(No space left on device\); free"
    ):
        DiskRoom(tmp_path).empty(10**7)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="no room for"):
        DiskRoom(tmp_path / "none").empty(10**7)


def doubled(sent: dict[str, np.ndarray], answer: Connection) -> None:
    """Double what is on the disk, in the process that was started."""
    sent["large"] *= 2.0
    answer.send({name: float(array.sum()) for name, array in sent.items()})


def test_a_process_that_is_started_maps_the_same_pages(tmp_path: Path) -> None:
    room = DiskRoom(tmp_path, least_bytes=1_000)
    large, small = room.kept(np.arange(1_000.0)), np.ones(3)
    sent = SentArrays(room, {"large": large, "small": small})
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=doubled, args=(sent, sender))
    process.start()
    assert receiver.recv() == {"large": 999_000.0, "small": 3.0}
    process.join()
    assert large[10] == 20.0


def test_elsewhere_the_arrays_themselves_are_sent(tmp_path: Path) -> None:
    room = DiskRoom(tmp_path, least_bytes=0)
    kept = room.kept(np.arange(5.0))
    there = pickle.loads(pickle.dumps(SentArrays(room, {"a": kept, "b": None})))
    np.testing.assert_array_equal(there["a"], kept)
    assert there["b"] is None
    there["a"][0] = 9.0
    assert kept[0] == 0.0
