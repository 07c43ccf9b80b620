"""Telling clients what has changed: server-sent events, made by looking at files' marks.

Rules: while nobody listens nothing is looked at; a run is looked at once for all who listen. An event
says what has changed, not what it is now: who listens asks for what it shows. Who comes is told to ask
for everything once it is heard, so that nothing falls between what it asked before and its first event.
Must not read a file.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Set
from dataclasses import dataclass, field

from bot.serve.feed.runs import PARTS, Mark, RunsFolder, marks_of

LOOK_S = 0.5
LOOKS_A_COMMENT = 30
"""Looks after which a comment keeps the lines open, also of who listens to a run without news."""

_ALL = "event: all\ndata: {}\n\n"

Sleep = Callable[[float], Awaitable[None]]


@dataclass
class Watching:
    """Look at the runs while there are listeners, and tell each of them what it listens to."""

    runs: RunsFolder
    sleep: Sleep = asyncio.sleep
    _listeners: dict[asyncio.Queue[str], str | None] = field(default_factory=dict)
    _come: set[asyncio.Queue[str]] = field(default_factory=set)
    _looking: asyncio.Task[None] | None = None
    _closed: bool = False

    @property
    def listeners(self) -> int:
        """Return how many listen."""
        return len(self._listeners)

    async def listen(self, run_id: str | None) -> AsyncIterator[str]:
        """Yield the text of server-sent events.

        Args:
            run_id: the run to listen to, None for all.
        """
        queue: asyncio.Queue[str] = asyncio.Queue(maxsize=256)
        self._listeners[queue] = run_id
        self._come.add(queue)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            yield "retry: 2000\n\n"
            while not self._closed:
                text = await queue.get()
                if not text:
                    return
                yield text
        finally:
            del self._listeners[queue]
            self._come.discard(queue)

    def close(self) -> None:
        """Let go of all who listen, and of who comes."""
        self._closed = True
        self.let_go()

    def let_go(self) -> None:
        """Let go of all who listen; who still may comes again by itself."""
        for queue in self._listeners:
            self._put(queue, "")

    async def _look(self) -> None:
        known: dict[str, dict[str, Mark]] = {}
        looks = 0
        while self._listeners and not self._closed:
            await self.sleep(LOOK_S)
            come, self._come = self._come, set()
            now = await asyncio.to_thread(self._marks)
            changed = {name: _changed(known.get(name, {}), marks) for name, marks in now.items()}
            changed |= {name: list(PARTS) for name in known.keys() - now.keys()}  # it is gone
            known, looks = now, looks + 1
            for name, parts in changed.items():
                if parts:
                    self._tell(name, parts, but=come)
            for queue in come & self._listeners.keys():
                self._put(queue, _ALL)
            if looks % LOOKS_A_COMMENT == 0:
                for queue in self._listeners:
                    self._put(queue, ": still here\n\n")

    def _marks(self) -> dict[str, dict[str, Mark]]:
        """Return the marks of the runs that anybody listens to."""
        wanted = set(self._listeners.values())
        return {
            folder.path.name: marks_of(folder)
            for folder in self.runs.all()
            if None in wanted or folder.path.name in wanted
        }

    def _tell(self, name: str, parts: list[str], but: Set[asyncio.Queue[str]]) -> None:
        text = f"event: run\ndata: {json.dumps({'run': name, 'changed': parts})}\n\n"
        for queue, wanted in self._listeners.items():
            if wanted in (None, name) and queue not in but:
                self._put(queue, text)

    @staticmethod
    def _put(queue: asyncio.Queue[str], text: str) -> None:
        if queue.full():  # who does not read is told to ask for everything
            while not queue.empty():
                queue.get_nowait()
            queue.put_nowait(_ALL)
        queue.put_nowait(text)


def _changed(before: dict[str, Mark], now: dict[str, Mark]) -> list[str]:
    return [part for part, mark in now.items() if mark != before.get(part)]
