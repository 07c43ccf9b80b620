"""Arrays are read by one thread at a time: numpy's headers are parsed by what CPython 3.11 counts for all."""

from __future__ import annotations

import gc
import inspect
import io
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.adapters.files.arrays import pack_arrays, parse_arrays
from bot.adapters.record.contents import packed, unpacked

ARRAYS = {f"a{i}": np.zeros(3, dtype=[("x", float), ("y", int)]) for i in range(4)}
STATE, FILE = packed(ARRAYS), pack_arrays({}, {"a": np.arange(3.0)})


def of_a_state() -> None:
    unpacked(STATE, Path("journal.db"))


def of_a_file() -> None:
    parse_arrays(io.BytesIO(FILE), "unit.npz")


@pytest.fixture
def collecting_often() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.callbacks.clear()
    gc.set_threshold(*before)


@pytest.mark.usefixtures("collecting_often")
@pytest.mark.parametrize("other", [of_a_state, of_a_file])
def test_a_thread_that_is_interrupted_in_a_header_reads_on(other: Callable[[], None]) -> None:
    inside, over, faults = threading.Event(), threading.Event(), list[SystemError]()

    def interrupted(phase: str, info: dict[str, Any]) -> None:
        """While an object is made of the header, let the other thread read."""
        del phase, info
        here = inspect.currentframe()
        frame = here.f_back if here else None
        in_header = frame is not None and frame.f_code.co_name == "parse"
        if threading.current_thread() is reader and in_header and not inside.is_set():
            inside.set()
            over.wait(0.2)  # in vain where it has to wait for us

    def read_first() -> None:
        try:
            of_a_state()
        except SystemError as error:
            faults.append(error)

    def read_meanwhile(deeper: int) -> None:
        if deeper:  # another depth of the stack, at which the counter begins
            read_meanwhile(deeper - 1)
        else:
            inside.wait(20.0)
            other()
            over.set()

    reader = threading.Thread(target=read_first)
    meanwhile = threading.Thread(target=read_meanwhile, args=(30,))
    gc.callbacks.append(interrupted)
    gc.set_threshold(1)
    for thread in (meanwhile, reader):
        thread.start()
    reader.join()
    inside.set()  # where objects of a header are never collected in between
    meanwhile.join()
    assert faults == []
    assert over.is_set()
