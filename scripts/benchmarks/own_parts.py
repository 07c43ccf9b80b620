"""What features of a user's own cost a bar: those of examples/my_parts.py, each beside none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from bot.app.parts.market import SYMBOLS, made_market
from bot.blocks import BarBlock
from bot.config.schema import Features
from bot.features.own import OwnFeature, own_feature
from bot.features.pipeline import FeaturePipeline
from bot.parts.plugins import load_plugins
from bot.parts.registry import of_user
from bot.timegrid import HOUR_MS
from scripts.benchmarks.measuring import Row, take_turns

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "my_parts.py"


def features(quick: bool) -> list[Row]:
    """Measure a bar of a symbol with each own feature, less one without."""
    load_plugins([str(EXAMPLE)])
    return list(_measured(20_000 if quick else 200_000))


def _measured(n: int) -> Iterator[Row]:
    bars = made_market(n)
    mine = [own_feature(part, {}) for part in of_user() if part.kind == "feature"]
    plain = FeaturePipeline(Features(names=("return_1",)), SYMBOLS, HOUR_MS)
    works: dict[str, Callable[[], object]] = {"": partial(_advance, plain, bars)}
    for each in mine:
        pipeline = FeaturePipeline(Features(names=("return_1", each.name)), SYMBOLS, HOUR_MS)
        works[each.name] = partial(_advance, pipeline, bars)
    took = take_turns(works, 5)
    for each in mine:
        ns = (took[each.name] - took[""]) / (n * len(SYMBOLS)) * 1e9
        yield Row(f"{each.name}, of {each.bars} bars", ns, "ns a bar and symbol", note=_note(each))


def _advance(pipeline: FeaturePipeline, bars: BarBlock) -> None:
    pipeline.advance(pipeline.initial(), bars)


def _note(own: OwnFeature) -> str:
    return f"compiled in {own.compiled.took_s:.1f} s, once a start"
