"""The exchange's time as the daemon believes it, and waiting for it."""

from __future__ import annotations

from typing import Protocol


class ExchangeTime(Protocol):
    """The exchange's time, and waiting for it.

    `refused` counts the exchange's times that were not believed; `doubted`: its last one was not.
    """

    @property
    def refused(self) -> int:
        """Return how many of the exchange's times were not believed."""
        ...

    @property
    def doubted(self) -> bool:
        """Return whether the exchange's last time was not believed."""
        ...

    def now_ms(self) -> int:
        """Return the exchange's time."""
        ...

    async def sleep_until(self, time_ms: int) -> None:
        """Return once the exchange's time has reached `time_ms`."""
        ...
