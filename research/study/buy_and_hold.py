"""Buy-and-hold abnormal returns against the market or a reference portfolio (METHODS 3.8)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from research.errors import ParameterError, in_words
from research.study import inference, parametric, resampling
from research.study.outcomes import MEAN, TestResult, WindowSample, no_spread, undefined
from research.study.peers import group_codes, tickers_of

if TYPE_CHECKING:
    from research.study.results import EventStudyResults

Floats = NDArray[np.float64]

#: Tests of METHODS 9 that need nothing but the values.
TESTS = (
    "cross_sectional_t",
    "johnson_t",
    "hall_t",
    "sign_z",
    "wilcoxon",
    "date_clustered_t",
    "wild_bootstrap",
    "cluster_jackknife_t",
)


def table(
    results: EventStudyResults, window: tuple[int, int], reference: Iterable[str] | Mapping[str, str] | None
) -> pd.DataFrame:
    """Table of :meth:`EventStudyResults.bhar`; the window is checked already."""
    length = window[1] - window[0] + 1
    held = results.held_returns(window)
    own = np.prod(1 + held, axis=1) - 1
    if reference is None:
        market = results.market_held(window)
        if market is None:
            raise ParameterError(
                "a buy-and-hold abnormal return needs a benchmark",
                parameter="market",
                remedy="Give EventStudy market= a Series of simple returns, or bhar a reference portfolio.",
            )
        benchmark, present = np.prod(1 + market, axis=1) - 1, ~np.isnan(held + market)
    else:
        benchmark, present = _reference(results, window, reference), ~np.isnan(held)
    n_days = present.sum(axis=1)
    lost = ~results.reportable(window) | (n_days < length) | np.isnan(benchmark)
    own[lost] = benchmark[lost] = np.nan
    columns = {"bhar": own - benchmark, "buy_and_hold": own, "benchmark": benchmark, "n_days": n_days}
    return pd.DataFrame(columns, index=results.index)


def _reference(
    results: EventStudyResults, window: tuple[int, int], reference: Iterable[str] | Mapping[str, str]
) -> Floats:
    """Mean buy-and-hold return of the reference firms, the event firm apart."""
    codes = _codes(results.tickers, reference)
    firm, day = results.firms, results.grid_day
    out = np.full(len(firm), np.nan)
    for position in np.unique(day):
        grown = np.prod(1 + results.panel_returns(int(position), window), axis=1)
        present = ~np.isnan(grown)
        for i in np.flatnonzero(day == position):
            wanted = codes[firm[i]] if isinstance(reference, Mapping) else 0
            members = present & (codes == wanted) & (wanted >= 0)
            members[firm[i]] = False
            if members.any():
                out[i] = grown[members].mean() - 1
    return out


def _codes(tickers: list[str], reference: Iterable[str] | Mapping[str, str]) -> NDArray[np.int64]:
    """Group of each ticker; a list of tickers is group 0."""
    if isinstance(reference, Mapping):
        codes = group_codes(tickers, reference)
        if not (codes >= 0).any():
            raise ParameterError(
                "no ticker of the returns is in a group", parameter="reference", allowed=in_words(tickers, 10)
            )
        return codes
    chosen = tickers_of(reference)
    unknown = [name for name in chosen if name not in tickers]
    if unknown or not chosen:
        raise ParameterError(
            f"no returns of {in_words(unknown)}" if unknown else "no reference firm",
            parameter="reference",
            allowed=in_words(tickers, 10),
        )
    return np.where(np.isin(tickers, chosen), 0, -1).astype(np.int64)


def test_table(
    results: EventStudyResults,
    windows: Sequence[tuple[int, int]],
    reference: Iterable[str] | Mapping[str, str] | None,
    seed: int,
    draws: int,
) -> pd.DataFrame:
    """Table of :meth:`EventStudyResults.test_bhar`."""
    # Read once: an iterator would be empty for the second window.
    kept = reference if reference is None or isinstance(reference, Mapping) else tickers_of(reference)
    rows = []
    for window in windows:
        bhar = table(results, window, kept)["bhar"].to_numpy()
        some = np.flatnonzero(~np.isnan(bhar))
        sample = _sample(results, window, bhar[some], some, seed, draws)
        outcomes = [*inference.run_tests(sample, TESTS), skewness_bootstrap(sample)]
        rows += [{"window": window, **vars(outcome), "null": _null(outcome.null)} for outcome in outcomes]
    return pd.DataFrame(rows)


def _null(null: str) -> str:
    return null.replace("CARs", "BHARs").replace("CAR", "BHAR")


def _sample(
    results: EventStudyResults, window: tuple[int, int], values: Floats, rows: NDArray[np.intp], seed: int, draws: int
) -> WindowSample:
    nothing = np.full(len(values), np.nan)
    return WindowSample(
        car=values,
        variance=nothing,
        scar=nothing,
        df=results.degrees_of_freedom[rows],
        date=results.grid_day[rows],
        length=window[1] - window[0] + 1,
        day_scar=nothing,
        seed=seed,
        draws=draws,
    )


def skewness_bootstrap(sample: WindowSample) -> TestResult:
    """Johnson's t against its bootstrap distribution from resamples of a quarter (METHODS 4.20).

    Source: Lyon, Barber and Tsai (1999, Journal of Finance 54).
    """
    name, n = "skewness_bootstrap", len(sample.car)
    definition = "Johnson t, gamma lbt; resamples of N/4"
    if n < 8 or no_spread(sample.car):
        return undefined(name, n, MEAN, "bootstrap", definition, "needs at least 8 events that differ")
    observed = float(parametric.skewness_adjusted(sample.car, kind="johnson"))
    drawn = resampling.skewness_draws(sample.car, _johnson, sample.seed, sample.draws)
    lower, upper = np.quantile(drawn, [0.025, 0.975])
    tail = min((1 + (drawn <= observed).sum()), (1 + (drawn >= observed).sum())) / (len(drawn) + 1)
    detail = f"{definition}; {len(drawn)} draws, seed {sample.seed}; 5% critical values {lower:.3f} and {upper:.3f}"
    return TestResult(name, observed, np.nan, float(min(1.0, 2 * tail)), n, MEAN, "bootstrap", detail)


def _johnson(values: Floats, centre: float) -> Floats:
    return parametric.skewness_adjusted(values, centre, kind="johnson")
