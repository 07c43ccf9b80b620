"""The chain of hashes over a record: how a bar's rows become bytes, and links.

Rules: a bar's link is SHA-256 over the link before it and the bar's rows as little-endian binary,
so a changed byte breaks it there. What later versions add to a bar's row is hashed only where it is
not what older rows stand for, so the links of an old record hold. Must not read anything.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from bot.adapters.record.tables import (
    BAR_VALUES,
    FIRST_BAR_FLAGS,
    LATER_BAR_VALUES,
    canonical,
)
from bot.blocks import F64, FILL, I64

CHAIN_VERSION = 1
"""Stands at the start of the chain, and is not raised by what can be added to it."""

_LATER = np.dtype([("place", "<i8"), ("value", "<f8")])

LATER_META = ("journal_version", "start", "ledger_sha256", "seconds", "interrupted")
"""Facts that are written after a record's creation; all others are in its first link."""


def row_hashes(open_time: I64, matrix: F64) -> I64:
    """Return int64[n, S]: the first eight bytes of SHA-256 over each bar row.

    A later value goes in, behind its place among them, where it is not what rows without it have.
    """
    n, S, _ = matrix.shape
    times = open_time.astype("<i8").tobytes()
    first = len(BAR_VALUES) + len(FIRST_BAR_FLAGS)
    data = np.ascontiguousarray(matrix[:, :, :first].astype("<f8")).tobytes()
    size = first * 8
    later = _later_bytes(matrix[:, :, first:].reshape(n * S, -1), *LATER_BAR_VALUES.values())
    digests = b"".join(
        hashlib.sha256(
            times[8 * i : 8 * i + 8] + data[k * size : (k + 1) * size] + later[k]
        ).digest()[:8]
        for i in range(n)
        for k in range(i * S, (i + 1) * S)
    )
    return np.frombuffer(digests, dtype="<i8").reshape(n, S).astype(np.int64)


def _later_bytes(values: F64, *usual_values: float) -> list[bytes]:
    """Return what the hash of each row takes in of its later values: places and values.

    Args:
        values: float64[rows, columns].
        usual_values: what older rows stand for, column by column; the one there is, for all.
    """
    usual = np.array(usual_values)
    row, place = np.nonzero(np.where(np.isnan(usual), ~np.isnan(values), values != usual))
    told = np.empty(len(row), _LATER)
    told["place"], told["value"] = place, values[row, place]
    content = told.tobytes()
    edges = np.searchsorted(row, np.arange(len(values) + 1)) * _LATER.itemsize
    return [content[a:b] for a, b in pairwise(edges.tolist())]


def first_link(symbols: Sequence[str]) -> bytes:
    """Return the start of the chain: a hash over the version and the symbols."""
    text = "\0".join([str(CHAIN_VERSION), *symbols])
    return hashlib.sha256(text.encode()).digest()


def facts_digest(meta: Mapping[str, str]) -> bytes:
    """Return SHA-256 over the facts of a run that are told at its creation."""
    told = sorted((key, value) for key, value in meta.items() if key not in LATER_META)
    return hashlib.sha256("".join(f"{len(x)}:{x}" for pair in told for x in pair).encode()).digest()


def seam_link(
    previous: bytes, position: int, closed: int | None, digest: str, made_by: str, layout: int,
    content: bytes,
) -> bytes:  # fmt: skip
    """Return the link over the one before and a row of `builds`; the next bar's goes on from it.

    Args:
        content: the carried state at the seam; of a journal's first row, the digest of its facts.
    """
    text = "\0".join(str(part) for part in (position, closed, digest, made_by, layout))
    return hashlib.sha256(previous + text.encode() + hashlib.sha256(content).digest()).digest()


def chain_links(previous: bytes, rows: Sequence[bytes]) -> list[bytes]:
    """Return a link a bar, each over the one before and the bar's rows."""
    links = []
    for row in rows:
        previous = hashlib.sha256(previous + row).digest()
        links.append(previous)
    return links


def rows_as_bytes(
    open_time: I64, hashes: I64, values: F64, refusals: I64, ledger: F64, fills: np.ndarray,
    later: F64, commands: Mapping[int, bytes],
) -> list[bytes]:  # fmt: skip
    """Return the bytes of each bar's rows.

    Args:
        hashes: int64[n, S] of the bar rows.
        values: float64[n, V], forecasts and decisions of all symbols, flattened.
        refusals: int64[n, S].
        ledger: float64[n, 6] in the order of LEDGER_VALUES.
        fills: FILL records in the order of booking.
        later: float64[n, S, k], what later versions added to decisions; hashed where it is a number.
        commands: by open time, the bytes of a bar's commands; most have none.
    """
    edges = np.searchsorted(fills["open_time"], open_time, side="left").tolist()
    edges.append(int(np.searchsorted(fills["open_time"], open_time[-1], side="right")))
    packed = fills.astype(FILL).tobytes()
    size = FILL.itemsize
    fixed = np.concatenate(
        [
            open_time[:, None].astype("<i8").view("<u1").reshape(len(open_time), -1),
            np.ascontiguousarray(hashes.astype("<i8")).view("<u1").reshape(len(open_time), -1),
            np.ascontiguousarray(canonical(values).astype("<f8")).view("<u1"),
            np.ascontiguousarray(refusals.astype("<i8")).view("<u1"),
            np.ascontiguousarray(canonical(ledger).astype("<f8")).view("<u1"),
        ],
        axis=1,
    )
    more = _later_bytes(later.reshape(len(open_time), -1), math.nan)
    return [
        fixed[i].tobytes()
        + packed[edges[i] * size : edges[i + 1] * size]
        + more[i]
        + commands.get(time, b"")
        for i, time in enumerate(open_time.tolist())
    ]
