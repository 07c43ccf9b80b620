"""Telegram, Discord, e-mail and a hundred more, by apprise (extra `notify`).

Rules: apprise's own log lines are taken as the reason of a failure, without the address, and go
nowhere else. Must not know a run.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from bot.adapters.messages.delivery import NotDelivered, OutgoingMessage
from bot.adapters.messages.secrets import hidden
from bot.adapters.messages.webhook import key_of
from bot.errors import ConfigError, extra_needed

_STATUS = re.compile(r"\berror=(\d{3})\b")
"""Where apprise logs the status of an HTTP answer."""


@dataclass(frozen=True)
class Service:
    """An address of apprise."""

    name: str
    address: str = field(repr=False)

    @property
    def key(self) -> str:
        """Return what it is known by."""
        return key_of(self.address)

    def send(self, delivery: OutgoingMessage) -> None:
        """Hand it over.

        Raises:
            NotDelivered: apprise says that it failed.
        """
        import apprise

        with _said_by_apprise() as said:
            sender = apprise.Apprise()
            sender.add(self.address)
            kind = apprise.NotifyType.FAILURE if delivery.urgent else apprise.NotifyType.INFO
            try:
                result = sender.notify(
                    body=delivery.text, title=delivery.title, notify_type=kind,
                    body_format=apprise.NotifyFormat.TEXT,
                    attach=str(delivery.picture) if delivery.picture else None,
                )  # fmt: skip
                done = bool(result)
            except Exception as error:  # noqa: BLE001 (a hundred services, each with errors of its own)
                done, said[:] = False, [type(error).__name__]
        if not done:
            reason = hidden(said[-1] if said else "refused, or out of reach", [self.address])
            status = _STATUS.search(reason)
            raise NotDelivered(reason[:200], int(status[1]) if status else None)


def services(addresses: tuple[str, ...]) -> list[Service]:
    """Return apprise's addresses as places to send to.

    Raises:
        ConfigError: apprise is not installed, or does not know one of them.
    """
    if not addresses:
        return []
    if find_spec("apprise") is None:
        raise extra_needed("messages to these addresses need apprise", "notify")
    import apprise

    made: list[Service] = []
    for number, address in enumerate(addresses, 1):
        with _said_by_apprise():
            known: Any = apprise.Apprise.instantiate(address)
        if known is None:
            raise ConfigError(
                f"urls: number {number} is no address that apprise knows; "
                "https://github.com/caronc/apprise/wiki lists them"
            )
        made.append(Service(f"{known.service_name} {number}", address))
    return made


@contextmanager
def _said_by_apprise() -> Iterator[list[str]]:
    """Give what apprise logs meanwhile, which goes nowhere else."""
    said: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    logger = logging.getLogger("apprise")
    before = logger.propagate, logger.level, logger.handlers[:]
    logger.propagate, logger.handlers = False, [Keep(logging.WARNING)]
    logger.setLevel(logging.WARNING)
    try:
        yield said
    finally:
        logger.propagate, logger.handlers = before[0], before[2]
        logger.setLevel(before[1])
