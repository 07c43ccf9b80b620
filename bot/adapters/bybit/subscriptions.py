"""What one connection has asked for, symbol by symbol: what is heard, refused, silent, asked again.

Rules: a symbol that is refused, or falls silent, costs the others nothing: it alone is taken out,
asked for again, ever more rarely, and comes back by itself. One request at a time waits for its
answer, so it is known what an answer is about; a refusal that names nobody is found by halves. The
connection is lost where an answer stays out, all are refused, or nothing at all is heard. Pure: the
time is handed in, in seconds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from bot.adapters.bybit.links import Link, topics_of, words_of
from bot.adapters.exchange import Connected, Disconnected
from bot.errors import ExchangeError

ANSWER_TIMEOUT_S = 10.0

REFUSED_FIRST_S, LONGEST_S = 60.0, 3600.0
"""A refused symbol is asked for again after a minute, then after twice as long each time, up to an
hour; a silent one alike, from the seconds on that count as silence."""

_HAD_ALREADY = "already subscribed"

Change = Connected | Disconnected


@dataclass(frozen=True, slots=True)
class Request:
    """A request to subscribe to topics, or to unsubscribe from them."""

    op: str
    topics: tuple[str, ...]


@dataclass(slots=True)
class _SymbolTopics:
    """A symbol's topics, when each was last heard, and what became of its subscription."""

    name: str
    topics: tuple[str, ...]
    heard_s: dict[str, float] = field(default_factory=dict)
    state: str = "asked"  # or heard, silent, refused
    tries: int = 0
    again_s: float = 0.0

    def silent(self, now_s: float, stale_after_s: float) -> list[str]:
        return [t for t, heard_s in self.heard_s.items() if now_s - heard_s > stale_after_s]


class Subscriptions:
    """The subscriptions of one connection.

    Args:
        number: of the session.
        stale_after_s: silence of a topic that is too long.
    """

    def __init__(self, link: Link, number: int, stale_after_s: float) -> None:
        self._link, self._number, self._stale_after_s = link, number, stale_after_s
        self._symbols = {
            name: _SymbolTopics(name, topics_of(link.category, link.code, symbol))
            for name, symbol in link.symbols
        }
        self._of_topic = {t: each for each in self._symbols.values() for t in each.topics}
        self._waiting = deque(Request("subscribe", topics) for topics in link.requests)
        self._asked: Request | None = None
        self._asked_s = 0.0
        self._begun = False

    def next_request(self, now_s: float) -> Request | None:
        """Return what is to be asked now; None while an answer is awaited or nothing is wanted."""
        if self._asked is not None or not self._waiting:
            return None
        self._asked, self._asked_s = self._waiting.popleft(), now_s
        return self._asked

    def answered(self, accepted: bool, message: str, now_s: float) -> list[Change]:
        """Take an answer.

        Raises:
            ExchangeError: every symbol is refused.
        """
        request, self._asked = self._asked, None
        if request is None or request.op == "unsubscribe":
            return []
        if accepted:
            self._accept(request.topics, now_s)
            return self._begin()
        changes = self._refused(request, message, now_s)
        if not self._waiting and all(s.state == "refused" for s in self._symbols.values()):
            raise ExchangeError(f"the subscription is refused: {message}")
        return [*changes, *self._begin()]

    def heard(self, topic: str, now_s: float) -> list[Change]:
        """Take note of data of a topic."""
        symbol = self._of_topic.get(topic)
        if symbol is None or topic not in symbol.heard_s:
            return []
        symbol.heard_s[topic] = now_s
        if symbol.state == "silent" and not symbol.silent(now_s, self._stale_after_s):
            symbol.state, symbol.tries = "heard", 0
            return [Connected(self._number, (symbol.name,))]
        return []

    def check(self, now_s: float) -> list[Change]:
        """Look for who is silent, and who is to be asked for again.

        Raises:
            ExchangeError: the connection is unusable.
        """
        if self._asked is not None and now_s - self._asked_s > ANSWER_TIMEOUT_S:
            raise ExchangeError(f"no answer to a subscription within {ANSWER_TIMEOUT_S:g} s")
        there = [s for s in self._symbols.values() if s.state in ("heard", "silent")]
        last_s = max((t for s in there for t in s.heard_s.values()), default=now_s)
        if now_s - last_s > self._stale_after_s:
            raise ExchangeError(f"nothing was heard for {self._stale_after_s:g} s")
        changes: list[Change] = []
        for symbol in self._symbols.values():
            if symbol.state == "refused" and now_s >= symbol.again_s:
                self._ask_again(symbol, symbol.topics, REFUSED_FIRST_S, now_s)
            silent = symbol.silent(now_s, self._stale_after_s)
            if symbol.state == "heard" and silent:
                symbol.state, symbol.again_s = "silent", now_s
                reason = f"{', '.join(silent)} is silent for {self._stale_after_s:g} s"
                changes.append(Disconnected(reason, (symbol.name,)))
            if symbol.state == "silent" and now_s >= symbol.again_s:
                self._waiting.append(Request("unsubscribe", tuple(silent)))
                self._ask_again(symbol, silent, self._stale_after_s, now_s)
        return changes

    def _accept(self, topics: Iterable[str], now_s: float) -> None:
        for topic in topics:
            symbol = self._of_topic[topic]
            fresh = topic not in symbol.heard_s
            if fresh:
                symbol.heard_s[topic] = now_s
            if symbol.state in ("asked", "refused") and len(symbol.heard_s) == len(symbol.topics):
                symbol.state = "asked"

    def _begin(self) -> list[Change]:
        """Return who is subscribed to from now on: at first all at once, later one by one."""
        if not self._begun and self._waiting:
            return []
        self._begun = True
        new = [
            s for s in self._symbols.values()
            if s.state == "asked" and len(s.heard_s) == len(s.topics)
        ]  # fmt: skip
        for symbol in new:
            symbol.state, symbol.tries = "heard", 0
        return [Connected(self._number, tuple(s.name for s in new))] if new else []

    def _refused(self, request: Request, message: str, now_s: float) -> list[Change]:
        """Take out who is refused, and ask for the others of the request again."""
        named = set(self._link.named_in(message))
        if _HAD_ALREADY in message:  # the whole request was refused all the same
            words = set(words_of(message))
            had = [t for t in request.topics if t in words] or list(request.topics)
            self._accept(had, now_s)
            self._ask_first([t for t in request.topics if t not in had])
            return []
        names = list(dict.fromkeys(self._of_topic[t].name for t in request.topics))
        out = [name for name in names if name in named] or (names if len(names) == 1 else [])
        if not out:
            half = set(names[: len(names) // 2])
            first = [t for t in request.topics if self._of_topic[t].name in half]
            self._ask_first([t for t in request.topics if t not in first])
            self._ask_first(first)
            return []
        self._ask_first([t for t in request.topics if self._of_topic[t].name not in out])
        gone = {t for name in out for t in self._symbols[name].topics}
        left = (Request(r.op, tuple(t for t in r.topics if t not in gone)) for r in self._waiting)
        self._waiting = deque(r for r in left if r.topics)
        changes: list[Change] = []
        for symbol in (self._symbols[name] for name in out):
            if symbol.state != "refused":
                changes.append(Disconnected(f"it is refused: {message}", (symbol.name,)))
                symbol.state, symbol.tries = "refused", 0
                symbol.again_s = now_s + REFUSED_FIRST_S
            symbol.heard_s.clear()
        return changes

    def _ask_first(self, topics: list[str]) -> None:
        if topics:
            self._waiting.appendleft(Request("subscribe", tuple(topics)))

    def _ask_again(
        self, symbol: _SymbolTopics, topics: Iterable[str], first_s: float, now_s: float
    ) -> None:
        symbol.tries += 1
        symbol.again_s = now_s + min(first_s * 2.0 ** min(symbol.tries, 20), LONGEST_S)
        self._waiting.append(Request("subscribe", tuple(topics)))
