"""What is under way on a cluster: nothing is lost, nothing lands twice, whatever dies or dawdles."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bot.app.executors.flights import LEAST_LANDED, LEAST_S, MOST_DEATHS, SLOW, Flight, Flights


def begin(flights: Flights[Flight[int], int], slots: int, now: float, made: list[int]) -> list[str]:
    """Start what is due; return the labels."""
    labels = []
    for flight in flights.due(slots, now):
        made.append(len(made))
        flights.started(flight, made[-1], now)
        labels.append(flight.label)
    return labels


@given(data=st.data(), n=st.integers(1, 25), slots=st.integers(1, 4))
def test_each_unit_lands_once_or_is_given_up_after_so_many_deaths(
    data: st.DataObject, n: int, slots: int
) -> None:
    flights: Flights[Flight[int], int] = Flights()
    made: list[int] = []
    landed: list[str] = []
    lost: list[str] = []
    for k in range(n):
        flights.add(Flight(str(k)))
    now = 0.0
    while True:
        begin(flights, slots, now, made)
        running = flights.running
        assert len(running) <= slots
        if not running:
            break
        now += data.draw(st.sampled_from([1.0, 100.0]))
        copy = data.draw(st.sampled_from(running))
        if data.draw(st.booleans()):
            flight, others = flights.landed(copy, now)
            assert not others & set(flights.running)
            landed.append(flight.label)
        else:
            flight, given_up = flights.died(copy)
            lost += [flight.label] * given_up
            assert not given_up or flight.deaths >= MOST_DEATHS
    assert sorted(landed + lost) == sorted(str(k) for k in range(n))
    assert flights.clear() == ([], [])


def after_five(seconds: float = 10.0) -> tuple[Flights[Flight[int], int], list[int]]:
    """Return what is left where as many units have landed as tell what is slow, and one runs still."""
    flights: Flights[Flight[int], int] = Flights()
    made: list[int] = []
    for k in range(LEAST_LANDED + 1):
        flights.add(Flight(str(k)))
    begin(flights, LEAST_LANDED + 1, 0.0, made)
    for copy in made[:-1]:
        flights.landed(copy, seconds)
    return flights, made


def test_a_slow_unit_gets_one_more_copy_and_the_first_result_counts() -> None:
    flights, made = after_five()
    patience = max(SLOW * 10.0, LEAST_S)
    assert begin(flights, 2, patience, made) == []
    assert begin(flights, 2, patience + 0.1, made) == [str(LEAST_LANDED)]
    assert begin(flights, 9, 10.0 * patience, made) == [], "a third would be one too many"
    flight, others = flights.landed(made[-1], patience + 1.0)
    assert (flight.label, others) == (str(LEAST_LANDED), {made[-2]})
    assert flights.running == []


def test_a_second_copy_needs_a_free_slot_patience_and_a_median() -> None:
    flights, made = after_five()
    assert begin(flights, 1, 1e6, made) == [], "its own copy has the only slot"
    flights.add(Flight("waiting"))
    assert begin(flights, 2, 1e6, made) == ["waiting"], "what waits comes first"
    quick, made = after_five(seconds=0.1)
    assert begin(quick, 2, LEAST_S, made) == []
    assert begin(quick, 2, LEAST_S + 0.1, made) == [str(LEAST_LANDED)]
    young: Flights[Flight[int], int] = Flights()
    young.add(Flight("alone"))
    first: list[int] = []
    begin(young, 2, 0.0, first)
    assert begin(young, 2, 1e6, first) == [], "nothing is known of how long one takes"


def test_a_unit_whose_worker_died_goes_first() -> None:
    flights, made = after_five()
    flights.add(Flight("next"))
    flight, given_up = flights.died(made[-1])
    assert (flight.label, given_up) == (str(LEAST_LANDED), False)
    assert begin(flights, 1, 1.0, made) == [str(LEAST_LANDED)]


def test_a_copy_that_dies_beside_another_is_not_begun_again() -> None:
    flights, made = after_five()
    begin(flights, 2, 1e6, made)
    flights.died(made[-1])
    assert flights.running == [made[-2]]
    assert begin(flights, 1, 1e6, made) == []


def test_what_is_cleared_is_forgotten() -> None:
    flights, made = after_five()
    flights.add(Flight("waiting"))
    left, running = flights.clear()
    assert {flight.label for flight in left} == {str(LEAST_LANDED), "waiting"}
    assert running == [made[-1]]
    assert begin(flights, 5, 1e6, made) == []
