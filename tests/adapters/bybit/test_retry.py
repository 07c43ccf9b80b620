from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pybit.exceptions import FailedRequestError, InvalidRequestError
from requests.exceptions import ReadTimeout

from bot.adapters.bybit.retry import IP_BAN_WAIT_S, Backoff, Limiter, judge


def failed(status: int) -> FailedRequestError:
    return FailedRequestError("GET", "no", status, "00:00:00", None)


def refused(code: Any, message: str = "no") -> InvalidRequestError:
    return InvalidRequestError("GET", message, code, "00:00:00", None)


@given(st.lists(st.floats(0, 0.5), min_size=2, max_size=60), st.floats(1, 50))
def test_requests_keep_their_distance_and_wait_no_longer(gaps: list[float], rate: float) -> None:
    limiter, now, turns = Limiter(rate), 0.0, list[float]()
    for gap in gaps:
        now += gap
        wait = limiter.reserve(now)
        assert wait >= 0.0
        if turns and wait > 0.0:
            assert now + wait == pytest.approx(turns[-1] + 1.0 / rate)
        turns.append(now + wait)
    assert all(b - a >= 1.0 / rate - 1e-9 for a, b in pairwise(turns))


@given(st.integers(1, 5000), st.floats(0, 1))
def test_waits_grow_to_a_bound(failures: int, dice: float) -> None:
    backoff = Backoff(first_s=0.5, longest_s=60.0)
    wait = backoff.wait_s(failures, lambda: dice)
    assert 0.25 <= wait <= 60.0
    assert wait <= backoff.wait_s(failures + 1, lambda: dice)


@pytest.mark.parametrize(
    "error",
    [refused(10006), refused(10016), failed(429), failed(503), ReadTimeout(), ConnectionError()],
)
def test_what_passes_is_tried_again(error: Exception) -> None:
    assert judge(error).retry
    assert judge(error).least_wait_s == 0.0


def test_a_ban_is_waited_out() -> None:
    verdict = judge(failed(403))
    assert verdict.retry
    assert verdict.least_wait_s == IP_BAN_WAIT_S == 600.0


def test_a_refusal_is_final_and_says_why() -> None:
    verdict = judge(refused(10001, "Not supported symbols"))
    assert not verdict.retry
    assert "Not supported symbols (code 10001)" in verdict.text
    assert not judge(failed(404)).retry


@pytest.mark.parametrize("code", ["10006", "abc", "", True, 1.0, 0.5, [1], {"a": 1}])
def test_a_code_that_is_no_whole_number_is_shown_as_it_came(code: Any) -> None:
    """pybit refuses by whatever stands there; a text is no rate limit, though its digits are."""
    verdict = judge(refused(code, "Too many visits"))
    assert verdict.retry
    assert (verdict.unlisted, verdict.unreachable) == (False, False)
    assert f"retCode {code!r}, no whole number (Too many visits)" in verdict.text
    assert "code 0" not in verdict.text


def test_nonsense_is_named() -> None:
    assert "no JSON object" in judge(AttributeError("'list' object has no attribute 'get'")).text


@pytest.mark.parametrize(
    "words",
    [
        "Not supported symbols",
        "params error: symbol invalid",
        "Symbol Is Invalid",
        "Invalid symbol.",
    ],
)
def test_only_the_exchanges_own_words_say_that_there_is_no_such_symbol(words: str) -> None:
    assert judge(refused(10001, words)).unlisted
    for other in (f"{words} ETHUSDT", f"{words}, try later", "the symbol is busy", "symbol", ""):
        assert not judge(refused(10001, other)).unlisted
    assert not judge(refused(10002, words)).unlisted


@pytest.mark.parametrize("said", [None, {"symbol": "invalid"}, [[[]]], 7])
def test_words_that_are_none_are_shown(said: object) -> None:
    error = refused(10001)
    error.message = said
    verdict = judge(error)
    assert not verdict.unlisted
    assert "the exchange refuses" in verdict.text


def test_an_answer_that_is_no_json_is_called_so() -> None:
    error = FailedRequestError("JSON decoding", "Conflict. Could not decode JSON.", 409, "t", None)
    verdict = judge(error)
    assert (verdict.text, verdict.retry, verdict.unreachable) == (
        "the answer is no JSON",
        True,
        True,
    )
