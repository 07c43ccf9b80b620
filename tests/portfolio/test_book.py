"""The book survives being taken apart, and refuses what is not its own."""

from __future__ import annotations

import numpy as np
import pytest

from bot.errors import JournalError
from bot.portfolio.book import copy_book, from_arrays, new_book, to_arrays


def test_a_new_account_holds_its_capital_only() -> None:
    book = new_book(3, 1000.0)
    assert book.n_symbols == 3
    for name in ("cash", "equity", "peak_equity", "day_start_equity"):
        assert book.account[name].tolist() == [1000.0]
    assert not book.quantity.any()
    assert not book.pending.any()
    assert np.isnan(book.mark).all()


def test_arrays_and_back() -> None:
    book = new_book(2, 1000.0)
    book.quantity[:] = [1.5, -2.0]
    book.account["halted"] = 2
    again = from_arrays(to_arrays(book))
    for one, other in zip(book, again, strict=True):
        assert one.tobytes() == other.tobytes()
        assert not np.shares_memory(one, other)


def test_a_copy_shares_no_memory() -> None:
    book = new_book(2, 1000.0)
    other = copy_book(book)
    other.quantity[0] = 5.0
    other.account["cash"] = 0.0
    assert book.quantity[0] == 0.0
    assert book.account["cash"] == 1000.0


def test_a_foreign_book_is_refused() -> None:
    arrays = to_arrays(new_book(2, 1000.0))
    with pytest.raises(JournalError, match="another version"):
        from_arrays({k: v for k, v in arrays.items() if k != "pending"})
    with pytest.raises(JournalError, match="the book's mark is float64"):
        from_arrays(arrays | {"mark": np.zeros(3)})
    with pytest.raises(JournalError, match="the book's account"):
        from_arrays(arrays | {"account": np.zeros(1)})
