"""What a signal stops, and when: Ctrl-C between pieces of work, a daemon between transactions.

A block that was stepped must also be hashed and recorded; an interrupt in between would leave a
journal whose rows and hash tell of different bars. Rule: whoever started the daemon with a signal
ignored (nohup, SIGHUP) has it ignored.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold a Ctrl-C back until the work inside is done, then raise KeyboardInterrupt."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Python raises KeyboardInterrupt in the main thread only
        return
    caught: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: caught.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if caught:
        raise KeyboardInterrupt


def stop_signals() -> list[signal.Signals]:
    """Return the signals that ask a daemon to stop: SIGTERM, Ctrl-C, and its terminal's end."""
    asked = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    return [number for number in asked if signal.getsignal(number) != signal.SIG_IGN]


@contextmanager
def stopped_by_signals(stop: Callable[[], object]) -> Iterator[None]:
    """Call `stop` from the running loop at each stop signal; what was set before is set again."""
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in stop_signals()}
    for number in before:
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)
