"""What is mutated, and which tests answer for it.

A subject is a group of modules with one row in the report. Its tests are those that should notice;
they are run in this order and stop at the first that fails, so the most direct come first. `plain`:
the tests run with kernels as plain Python, which a mutated kernel needs.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Subject:
    """Modules under mutation and the tests that answer for them; paths from the root."""

    name: str
    modules: tuple[str, ...]
    tests: tuple[str, ...]
    plain: bool = False


_OF_FULL = (
    "blocking", "caps_hold", "inverse", "limit_orders", "margin", "marks_path", "orders_naively", "sizes",
    "quiet", "stages", "stops", "unseen",
)  # fmt: skip
"""Tests of the full account, `tests/portfolio/kernel/test_….py`."""

SUBJECTS = (
    Subject(
        "kernel",
        ("bot/portfolio/kernel/loop.py", "bot/portfolio/kernel/fills.py",
         "bot/portfolio/kernel/funding.py", "bot/portfolio/kernel/halts.py",
         "bot/portfolio/kernel/decide.py", "bot/portfolio/kernel/orders.py",
         "bot/portfolio/kernel/asked.py", "bot/portfolio/kernel/room.py",
         "bot/portfolio/policies/sides.py", "bot/portfolio/policies/asked.py",
         "bot/portfolio/costs.py"),
        ("tests/portfolio/test_broker.py", "tests/portfolio/test_asked.py",
         "tests/portfolio/test_kernel.py", "tests/portfolio/test_own.py",
         "tests/portfolio/test_reference_backtest.py", "tests/portfolio/test_agreement.py",
         "tests/portfolio/test_sizings.py", "tests/portfolio/policies/test_edge.py",
         "tests/portfolio/policies/test_hysteresis.py", "tests/portfolio/policies/test_momentum.py",
         *(f"tests/portfolio/kernel/test_{name}.py" for name in _OF_FULL),
         "tests/laws/test_account_sampled.py"),
        plain=True,
    ),
    Subject(
        "account",
        (*(f"bot/portfolio/kernel/{name}.py" for name in (
            "blocking", "booking", "caps", "cash", "contracts", "debts", "first_tiers", "limits", "margin", "measured", "partial",
            "path", "quiet", "reducing", "settling", "stages", "stops",
        )), "bot/portfolio/impact.py", "bot/portfolio/ticks.py"),
        (*(f"tests/portfolio/kernel/test_{name}.py" for name in _OF_FULL), "tests/portfolio/test_broker.py", "tests/portfolio/test_ticks.py",
         "tests/portfolio/test_own.py::test_a_scheme_is_told_once_of_an_order_that_cash_cuts", "tests/laws/test_limits.py",
         "tests/laws/test_account_sampled.py", "tests/laws/test_account.py"),
        plain=True,
    ),
    Subject(
        "sizings",
        ("bot/portfolio/sizings/account.py", "bot/portfolio/sizings/fixed.py",
         "bot/portfolio/sizings/kelly.py", "bot/portfolio/sizings/mean_variance.py",
         "bot/portfolio/sizings/proportional.py", "bot/portfolio/sizings/sizes.py",
         "bot/portfolio/sizings/volatility_target.py", "bot/portfolio/correlation.py"),
        ("tests/portfolio/test_sizings.py", "tests/portfolio/test_correlation.py",
         "tests/portfolio/test_broker.py", "tests/portfolio/test_asked.py"),
        plain=True,
    ),
    Subject(
        "policies",
        ("bot/portfolio/calibration.py", "bot/portfolio/policies/carried.py",
         "bot/portfolio/policies/edge.py", "bot/portfolio/policies/hysteresis.py",
         "bot/portfolio/policies/momentum.py", "bot/portfolio/policies/threshold.py",
         "bot/portfolio/kernel/observe.py"),
        # of the calibration's all but its 1,200 worlds, which plain Python takes hours for
        (*(f"tests/portfolio/test_calibration.py::{test}" for test in (
            "test_the_stream_is_the_batch",
            "test_any_cuts_give_the_same_bits",
            "test_a_slope_knows_no_later_close",
            "test_a_block_is_of_five_horizons_and_a_day_at_least",
            "test_a_slope_is_known_once_two_blocks_are_over",
            "test_the_slope_that_a_state_tells_is_that_of_its_last_bar",
            "test_a_symbol_out_of_session_keeps_the_others_scored",
            "test_without_a_calibration_nothing_is_known",
            "test_signals_that_say_nothing_are_worth_nothing",
            "test_what_has_no_volatility_is_not_scored",
            "test_a_pending_row_weighs_as_its_variance_over_the_horizon",
            "test_the_date_changes_no_slope",
            "test_a_state_comes_back_from_its_arrays_as_it_was",
            "test_signals_a_thousandth_as_large_have_a_slope_a_thousand_times_as_large",
            "test_bars_out_of_session_are_not_counted_by_the_horizon",
        )),
         "tests/portfolio/policies/test_carried.py", "tests/portfolio/policies/test_edge.py",
         "tests/portfolio/policies/test_hysteresis.py", "tests/portfolio/policies/test_momentum.py",
         "tests/portfolio/policies/test_threshold.py",
         "tests/portfolio/test_asked.py::test_what_is_shipped_is_listed_with_the_settings_it_reads"),
        plain=True,
    ),
    Subject("engine", ("bot/engine.py", "bot/engine_state.py"), ("tests/test_engine.py", "tests/app/runs/test_state_layout.py")),
    Subject("plausibility", ("bot/plausibility.py",), ("tests/test_plausibility.py",)),
    Subject(
        "ledger", ("bot/portfolio/ledger.py",),
        ("tests/portfolio/test_ledger.py", "tests/portfolio/test_ledger_of_coins.py"), plain=True,
    ),
    Subject("live opening", ("bot/app/live/opening.py",), ("tests/app/live/test_opening.py",)),
    Subject(
        "bar assembly", ("bot/app/live/bar_assembly.py",),
        ("tests/app/live/test_bar_assembly.py", "tests/app/live/test_bar_assembly_live.py"),
    ),
    Subject(
        "funding", ("bot/adapters/files/funding.py", "bot/adapters/files/bar_funding.py",
                    "bot/app/live/funding.py"),
        ("tests/adapters/files/test_bar_funding.py", "tests/adapters/files/test_funding.py",
         "tests/app/live/test_funding_watch.py", "tests/app/live/test_funding.py"),
    ),
    Subject("timestamps", ("bot/timestamps.py",), ("tests/test_timestamps.py",)),
    Subject("triggers", ("bot/app/training/triggers.py",), ("tests/app/training/test_triggers.py",)),
    Subject(
        "targets", ("bot/features/targets.py",),
        ("tests/features/test_targets.py", "tests/features/test_auxiliary.py"), plain=True,
    ),
    Subject(
        "metrics", ("bot/report/money/metrics.py", "bot/report/money/sharpe.py", "bot/report/money/round_trips.py"),
        tuple(f"tests/report/money/test_{name}.py" for name in (
            "metrics", "sharpe", "round_trips", "turned_bars", "coins", "trades", "activity",
        )),
    ),
    Subject(
        "worth",
        ("bot/report/money/days.py", "bot/report/money/edge.py", "bot/report/money/walk.py",
         "bot/report/money/retraced.py", "bot/report/money/twins.py", "bot/report/money/momentum.py",
         "bot/report/money/controls.py", "bot/report/money/buy_and_hold.py"),
        ("tests/report/money/test_retraced.py", "tests/report/money/test_edge.py",
         "tests/report/money/test_activity.py", "tests/report/money/test_walk.py", "tests/report/money/test_twins.py",
         "tests/report/money/test_momentum.py", "tests/report/money/test_buy_and_hold.py"),
        plain=True,
    ),
    Subject(
        "trades",
        tuple(f"bot/report/money/{name}.py" for name in ("coins", "trades", "jumps", "turned_bars", "activity")),
        tuple(f"tests/report/money/test_{name}.py" for name in (
            "turned_bars", "trades", "coins", "jumps", "activity",
        )),
        plain=True,
    ),
    Subject(
        "portfolio",
        tuple(f"bot/portfolio/{name}.py" for name in ("worth", "coins", "margin", "denomination", "funding")),
        (*(f"tests/portfolio/test_{name}.py" for name in ("worth", "coins", "margin", "denomination", "funding")),
         "tests/portfolio/kernel/test_inverse.py"),
        plain=True,
    ),
    Subject(
        "skill",
        ("bot/report/skill/measures.py", "bot/report/skill/by_head.py", "bot/report/skill/verdicts.py",
         "bot/report/skill/rivals.py", "bot/report/skill/calibration.py", "bot/report/skill/conformal.py",
         "bot/report/skill/slopes.py", "bot/report/skill/tenths.py",
         *(f"bot/report/skill/baselines/{name}.py" for name in (
             "rows", "terms", "least_squares", "variances", "ewma", "har", "log_har", "garch",
             "hour_of_week", "volume_ridge", "moves", "base_rate", "training_mean", "zero",
         )),
         "bot/report/study/endpoints.py"),
        ("tests/report/skill/test_measures.py", "tests/report/skill/test_verdicts.py",
         "tests/report/skill/test_baselines.py", "tests/report/skill/test_slopes.py",
         "tests/report/skill/test_regressions.py", "tests/report/skill/test_rivals.py",
         "tests/report/skill/test_calibration.py",
         "tests/report/skill/test_tenths.py",
         "tests/report/study/test_endpoints.py", "tests/report/study/test_comparison.py"),
        plain=True,
    ),
)  # fmt: skip
