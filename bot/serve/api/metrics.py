"""/metrics, for Prometheus: each run's figures under conventional names, in base units.

Rules: seconds, ratios and plain counts; what only grows ends in `_total`; a figure that is not known
is left out, never zero. The figures are those of the cards: a scrape reads only runs that changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from fastapi import APIRouter, Request
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from starlette.responses import Response

from bot import __version__
from bot.app.runs.folder import RunFolder
from bot.app.runs.status import Status
from bot.errors import BotError
from bot.serve.feed.cards import Cards, RunCard
from bot.serve.feed.coverages import Coverages
from bot.serve.feed.runs import RunsFolder
from bot.serve.feed.state import RunState

router = APIRouter(tags=["metrics"])
PREFIX = "mtl_paper_bot"

GAUGES: dict[str, str] = {
    "up": "Whether the run's process lives.",
    "equity": "Equity at the newest close, in the quote currency.",
    "cash": "Cash, in the quote currency.",
    "return_ratio": "Return since the start, of the initial capital.",
    "day_return_ratio": "Return since the last close of the UTC day before.",
    "drawdown_ratio": "Drawdown from the highest close.",
    "funding_paid": "Funding paid since the start, in the quote currency; negative when received.",
    "positions": "Positions that are open.",
    "halted": "Whether a halt, a pause or the kill switch keeps it from opening.",
    "last_bar_timestamp_seconds": "Open time of the newest bar.",
    "heartbeat_timestamp_seconds": "When the process last wrote how it fares.",
    "behind_seconds": "From the newest bar's end to the exchange's time, at the last heartbeat.",
    "commit_lag_seconds": "From the last candle's arrival to the decision's commit.",
    "model_effective_timestamp_seconds": "First bar that the model in force decided on.",
    "next_training_timestamp_seconds": "When a training is due next, by the exchange's clock.",
    "margin_used_ratio": "Maintenance margin over what stands for it; at 1 it is liquidated.",
}
COUNTERS: dict[str, str] = {
    "bars": "Bars closed.",
    "fills": "Fills booked.",
    "fees_paid": "Fees paid, in the quote currency.",
    "implausible": "What the exchange said since the process began and cannot be true.",
}


class RunsCollector(Collector):
    """The runs of a folder as metrics."""

    def __init__(self, runs: RunsFolder, cards: Cards, coverages: Coverages) -> None:
        self._runs = runs
        self._cards = cards
        self._coverages = coverages

    def describe(self) -> Iterable[Metric]:
        """Return nothing: what there is depends on the runs."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics of all runs."""
        cards = [self._cards.of(folder) for folder in self._runs.all()]
        about = GaugeMetricFamily(
            f"{PREFIX}_run_info", "A run; always 1.", labels=["run", "mode", "interval", "state"]
        )
        unread = GaugeMetricFamily(
            f"{PREFIX}_run_unreadable", "Whether a run cannot be read.", labels=["run"]
        )
        for card in cards:
            unread.add_metric([card.run_id], float(card.status is None))
            if card.status is not None:
                labels = [card.run_id, card.status.mode, card.status.interval, card.state.value]
                about.add_metric(labels, 1.0)
        version = GaugeMetricFamily(
            f"{PREFIX}_serve_info", "This server; always 1.", labels=["version"]
        )
        version.add_metric([__version__], 1.0)
        yield from (version, about, unread)
        sound = [(card, card.status) for card in cards if card.status is not None]
        yield from _by_run(sound)
        yield from (_values(sound), _coins(sound), self._intervals(sound))

    def _intervals(self, sound: Sequence[tuple[RunCard, Status]]) -> Metric:
        """Return the shares of the runs that go on."""
        inside = GaugeMetricFamily(
            f"{PREFIX}_interval_coverage_ratio",
            "Share of the newest labels inside their 90 % intervals; of runs that go on.",
            labels=["run", "head"],
        )
        for card, status in sound:
            for head, share in self._shares(card, status).items():
                inside.add_metric([card.run_id, head], share)
        return inside

    def _shares(self, card: RunCard, status: Status) -> dict[str, float]:
        if status.pid is None:
            return {}
        try:
            return self._coverages.of(RunFolder(self._runs.path / card.run_id))
        except BotError:  # a model is damaged, or the run was removed: the other figures stand
            return {}


def _by_run(sound: Sequence[tuple[RunCard, Status]]) -> Iterator[Metric]:
    values = {card.run_id: figures(card, status) for card, status in sound}
    for names, kind in ((GAUGES, GaugeMetricFamily), (COUNTERS, CounterMetricFamily)):
        for name, what in names.items():
            family = kind(f"{PREFIX}_{name}", what, labels=["run"])
            for run_id, found in values.items():
                value = found.get(name)
                if value is not None:
                    family.add_metric([run_id], value)
            yield family


def _values(sound: Sequence[tuple[RunCard, Status]]) -> Metric:
    held = GaugeMetricFamily(
        f"{PREFIX}_position_value", "Value of a position at the last close, in the quote currency; "
        "negative when short.", labels=["run", "symbol"],
    )  # fmt: skip
    for card, status in sound:
        for position in status.positions:
            held.add_metric([card.run_id, position.symbol], position.value)
    return held


def _coins(sound: Sequence[tuple[RunCard, Status]]) -> Metric:
    coins = GaugeMetricFamily(
        f"{PREFIX}_coin_value", "Value of the coins of an inverse symbol at the last close, in the quote "
        "currency; negative when owed.", labels=["run", "symbol"],
    )  # fmt: skip
    for card, status in sound:
        for each in status.coins:
            coins.add_metric([card.run_id, each.symbol], each.value)
    return coins


def figures(card: RunCard, status: Status) -> dict[str, float | None]:
    """Return a run's figures by the name of their metric, None where they are not known."""
    beat, model, margin = status.heartbeat, status.model, status.margin
    return {
        "up": float(status.pid is not None),
        "equity": status.equity,
        "cash": status.cash,
        "return_ratio": status.total_return,
        "day_return_ratio": card.day_return,
        "drawdown_ratio": status.drawdown,
        "funding_paid": status.funding,
        "positions": float(len(status.positions)),
        "halted": float(card.state is RunState.HALTED),
        "last_bar_timestamp_seconds": _seconds(status.last_bar),
        "heartbeat_timestamp_seconds": _seconds(None if beat is None else beat.time_ms),
        "behind_seconds": _seconds(status.behind_ms),
        "commit_lag_seconds": _seconds(None if beat is None else beat.lag_ms),
        "model_effective_timestamp_seconds": _seconds(
            None if model is None else model.effective_from
        ),
        "next_training_timestamp_seconds": _seconds(
            None if beat is None else beat.next_training_ms
        ),
        "margin_used_ratio": None if margin is None else margin.used,
        "bars": float(status.bars),
        "fills": float(status.fills),
        "fees_paid": status.fees,
        "implausible": None if beat is None else float(beat.implausible),
    }


@router.get(
    "/metrics", summary="For Prometheus, as text or OpenMetrics by Accept", response_class=Response,
    responses={200: {"content": {"text/plain": {}, "application/openmetrics-text": {}}}},
)  # fmt: skip
def metrics(request: Request) -> Response:
    """Return the figures of all runs."""
    site = request.app.state.site
    registry = CollectorRegistry(auto_describe=False)
    registry.register(RunsCollector(site.runs, site.cards, site.coverages))
    encode, media_type = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(registry), media_type=media_type)


def _seconds(ms: float | None) -> float | None:
    return None if ms is None else ms / 1000.0
