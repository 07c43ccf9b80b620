"""Messages of no run, sent at once: a test, and that the supervisor has given up.

Must not keep anything: whoever calls is told what was not taken, by the exit code.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from bot.adapters.messages.delivery import Address, NotDelivered
from bot.app.messages.message import Message, message_id
from bot.app.messages.service import delivery_of

WAIT_S = 10.0


def trial_message(host: str, now_ms: int) -> Message:
    """Return the message of `bot notify test`."""
    text = "a test of 'bot notify': messages arrive here"
    return Message(message_id(host, "test", now_ms), host, "test", now_ms, text)


def crash_message(host: str, unit: str, now_ms: int) -> Message:
    """Return the message of `bot notify crash UNIT`."""
    text = f"{unit} has failed and is not started again: 'systemctl status {unit}' says why"
    return Message(message_id(host, "crash", unit, now_ms), host, "crash", now_ms, text)


def tell_now(
    message: Message, addresses: Sequence[Address], *, tries: int, say: Callable[[str], None],
    wait: Callable[[float], None] = time.sleep,
) -> bool:  # fmt: skip
    """Send a message to every address, again where it is not taken; return whether all took it."""
    left = list(addresses)
    for number in range(tries):
        if number:
            wait(WAIT_S * 2 ** (number - 1))
        failed = []
        for address in left:
            try:
                address.send(delivery_of([message]))
                say(f"{address.name}: taken")
            except NotDelivered as error:
                say(f"{address.name}: not taken ({error})")
                failed.append(address)
        left = failed
        if not left:
            break
    return not left
