"""How big the news was: earnings surprises and their classes (METHODS 5).

Measures are per ticker and kind and in order of time; the current quarter is never in
its own history. Figures of one ticker must stand on one share basis: either the table
does so already (with ``eps_split_divisor`` saying what was divided out), or
:func:`on_one_basis` puts it there from the splits. Then no split moves a surprise.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from research.errors import InputError, ParameterError, nearest, whole_number
from research.events import _seasonal, _signals
from research.events._expectations import consensus, figures, guidance_revision, on_one_basis, require
from research.events._signals import SIGNAL_CLASSES
from research.events.announcements import Announcements

__all__ = [
    "CLASSES",
    "DEAD_BAND",
    "FLOOR",
    "METHODS",
    "SIGNAL_CLASSES",
    "close_before",
    "consensus",
    "dispersion_scaled",
    "guidance_revision",
    "on_one_basis",
    "percentage_surprise",
    "price_scaled",
    "revenue_surprise",
    "signal_class",
    "signals",
    "standardized_unexpected_earnings",
    "surprise_class",
    "table",
    "with_measures",
]

#: Estimates smaller than this many dollars a share, on the share basis of the
#: announcement day, would blow a percentage up; they are replaced by it (METHODS 5.5).
FLOOR = 0.05

#: Percentage surprises closer to zero than this are in line (METHODS 5.7).
DEAD_BAND = 0.01

CLASSES = ("beat", "in line", "miss", "no estimate")

#: Expectations that :func:`standardized_unexpected_earnings` knows.
METHODS = ("seasonal", "seasonal-drift", "foster")

#: Fewer analysts than this have no dispersion (METHODS 5.4).
MIN_ANALYSTS = 3

#: Fewer earlier differences than this have no scale.
_SHORTEST_HISTORY = 4

#: A close older than this many days says nothing about the day before the news.
_STALE = 7


def percentage_surprise(frame: pd.DataFrame, floor: float = FLOOR) -> pd.Series:
    r"""Surprise relative to the estimate, in decimals.

    .. math::  \frac{A - F}{\max(|F|, floor)}

    A vendor's own unrounded figure (``surprise_pct``, per cent) comes first where it is
    given. The floor holds on the share basis of the announcement day, so a column
    ``eps_split_divisor`` (figures as printed on the day over figures in the table) scales
    it; without the column the table's basis is taken to be the day's own.

    Parameters
    ----------
    frame : DataFrame
        ``Announcements.frame`` or any table with ``eps_actual`` and ``eps_estimate``.
    floor : float, default 0.05
        Dollars a share; 0 gives NaN at an estimate of 0.

    Returns
    -------
    Series
        NaN without an actual, an estimate, or (floor 0) at an estimate of 0. Its sign is
        that of ``A - F``, also where a vendor divided by the signed estimate; only where
        the two are equal, as rounded, the vendor's unrounded figure decides.

    Raises
    ------
    InputError
        Without the columns, or with cells that are no number; every row is named.
    ParameterError
        For a negative floor.
    """
    require(frame, ("eps_actual", "eps_estimate"), "A surprise needs an actual and an estimate.")
    if not floor >= 0:
        raise ParameterError("negative floor", parameter="floor", value=floor, allowed="0 or more dollars a share")
    actual, estimate = figures(frame, "eps_actual", "eps_estimate")
    divisor = figures(frame, "eps_split_divisor")[0] if "eps_split_divisor" in frame.columns else 1.0
    scale = np.maximum(estimate.abs(), floor / divisor)
    computed = (actual - estimate) / scale.where(scale > 0)
    if "surprise_pct" not in frame.columns:
        return computed.rename("surprise")
    vendor = figures(frame, "surprise_pct")[0] / 100
    # A vendor who divides by a negative estimate turns a beat into a miss.
    vendor = vendor.mask(vendor * (actual - estimate) < 0, -vendor)
    return vendor.where(vendor.notna() & actual.notna(), computed).rename("surprise")


def surprise_class(surprise: pd.Series, dead_band: float = DEAD_BAND) -> pd.Series:
    """``beat``, ``in line`` or ``miss`` by a dead-band around zero; ``no estimate`` where NaN.

    Parameters
    ----------
    surprise : Series
        Decimals, as :func:`percentage_surprise` returns them.
    dead_band : float, default 0.01
        ``|surprise| < dead_band`` is in line.

    Returns
    -------
    Series of str
    """
    _check_dead_band(dead_band)
    classes = np.select(
        [surprise.isna(), surprise.abs() < dead_band, surprise > 0],
        ["no estimate", "in line", "beat"],
        "miss",
    )
    return pd.Series(classes, index=surprise.index, name="class", dtype=object)


def standardized_unexpected_earnings(
    frame: pd.DataFrame, method: str = "seasonal-drift", *, history: int = 8
) -> pd.DataFrame:
    r"""Earnings against what the firm's own history let expect, in units of its past errors.

    .. math::  SUE_q = \frac{D_q - \hat E[D_q]}{s}, \qquad D_q = E_q - E_{q-4}

    ``seasonal`` expects 0, ``seasonal-drift`` the mean of the previous ``history``
    differences, ``foster`` :math:`\hat\delta + \hat\phi D_{q-1}` fitted by least squares on
    them. ``s`` is the standard deviation of those differences (divisor ``history - 1``), for
    ``foster`` the residual one (divisor ``history - 2``). The quarter itself is never in
    its history. The same quarter of the year before is found by announcement date (315 to
    415 days earlier), so a missing quarter gives NaN and is not bridged by another one.

    Parameters
    ----------
    frame : DataFrame
        ``Announcements.frame``: ``ticker``, ``announced_on``, ``eps_actual`` on one share
        basis; rows that are not ``ok`` are left out.
    method : {"seasonal", "seasonal-drift", "foster"}
    history : int, default 8
        Earlier differences required, the most recent ones within four years.

    Returns
    -------
    DataFrame indexed like ``frame``
        ``sue``; ``unexpected`` (dollars a share); ``scale``; ``n_history``; ``note``, why
        there is no number.

    Notes
    -----
    Sources: Bernard and Thomas (1990, JAE 13) for the seasonal random walk with drift;
    Foster (1977, The Accounting Review 52).
    """
    if method not in METHODS:
        raise ParameterError(
            "unknown expectation", parameter="method", value=method, allowed=", ".join(METHODS),
            remedy=nearest(str(method), METHODS) or None,
        )  # fmt: skip
    history = whole_number("history", history, _SHORTEST_HISTORY)
    require(frame, ("ticker", "announced_on", "eps_actual"), "Pass Announcements.frame.")
    earnings = figures(frame, "eps_actual")[0].to_numpy()
    days = frame["announced_on"].to_numpy(dtype="datetime64[D]").astype(np.int64)
    n = len(frame)
    unexpected, scale = np.full(n, np.nan), np.full(n, np.nan)
    count, note = np.zeros(n, dtype=np.int64), np.full(n, "not a usable announcement", dtype=object)
    for rows in _seasonal.in_time(frame):
        firm = _seasonal.seasonal(days[rows], earnings[rows])
        for i, row in enumerate(rows):
            unexpected[row], scale[row], count[row], note[row] = _seasonal.standardise(firm, i, method, history)
    columns = {"sue": unexpected / scale, "unexpected": unexpected, "scale": scale, "n_history": count, "note": note}
    return pd.DataFrame(columns, index=frame.index)


def price_scaled(frame: pd.DataFrame, price: pd.Series, expectation: str = "estimate") -> pd.Series:
    r"""Surprise in units of the share price (Livnat and Mendenhall 2006, JAR 44).

    .. math::  \frac{A - F}{P} \quad\text{or}\quad \frac{E_q - E_{q-4}}{P}

    Parameters
    ----------
    frame : DataFrame
        ``Announcements.frame``.
    price : Series indexed like ``frame``
        Price before the announcement on the share basis of the EPS columns, as
        :func:`close_before` finds it; split-adjusted closes go with split-adjusted EPS. An
        adjusted close (dividends taken out) is no price.
    expectation : {"estimate", "seasonal"}
        Analysts' estimate, or the same quarter of the year before.

    Returns
    -------
    Series
        Decimals; NaN without earnings, expectation or price.
    """
    if expectation not in ("estimate", "seasonal"):
        raise ParameterError(
            "unknown expectation", parameter="expectation", value=expectation, allowed="estimate, seasonal"
        )
    if not price.index.equals(frame.index):
        raise InputError(
            "the prices are not indexed like the table", parameter="price", remedy="Use close_before(frame, ...)."
        )
    if expectation == "seasonal":
        difference = standardized_unexpected_earnings(frame, "seasonal")["unexpected"]
    else:
        require(frame, ("eps_actual", "eps_estimate"), "A surprise needs an actual and an estimate.")
        actual, estimate = figures(frame, "eps_actual", "eps_estimate")
        difference = actual - estimate
    return (difference / price.where(price > 0)).rename("price_scaled")


def close_before(frame: pd.DataFrame, close: pd.DataFrame, day_zero: pd.Series) -> pd.Series:
    """Last close of each ticker on a session before day zero: a price that cannot know the news.

    Parameters
    ----------
    frame : DataFrame
        ``Announcements.frame``.
    close : DataFrame, sessions x tickers
        Split-adjusted closes, ``prices.field("close")``.
    day_zero : Series indexed like ``frame``
        ``announcements.timed()["day_zero"]``.

    Returns
    -------
    Series
        NaN where day zero is unknown, the ticker has no prices, or the last close is more
        than seven days old.
    """
    found = np.full(len(frame), np.nan)
    sessions = close.index.to_numpy(dtype="datetime64[D]")
    zero = day_zero.to_numpy(dtype="datetime64[D]")
    position = np.searchsorted(sessions, zero)
    for ticker, rows in frame.groupby("ticker").indices.items():
        if ticker not in close.columns:
            continue
        values = close[ticker].to_numpy(dtype=float)
        last = np.maximum.accumulate(np.where(np.isnan(values), -1, np.arange(len(values))))
        for row in rows:
            before = last[position[row] - 1] if position[row] > 0 and not np.isnat(zero[row]) else -1
            if before >= 0 and (zero[row] - sessions[before]).astype(int) <= _STALE:
                found[row] = values[before]
    return pd.Series(found, index=frame.index, name="price")


def dispersion_scaled(frame: pd.DataFrame) -> pd.Series:
    """``(A - median F) / sd(F)`` over analysts.

    Parameters
    ----------
    frame : DataFrame
        With ``eps_actual, eps_estimate, eps_estimate_sd, eps_estimate_count``, as
        :func:`consensus` makes them.

    Returns
    -------
    Series
        NaN with fewer than three analysts or without dispersion.
    """
    names = ("eps_actual", "eps_estimate", "eps_estimate_sd", "eps_estimate_count")
    require(frame, names, "consensus() makes them from the analysts' single forecasts.")
    actual, estimate, spread, count = figures(frame, *names)
    return ((actual - estimate) / spread.where((spread > 0) & (count >= MIN_ANALYSTS))).rename("dispersion_scaled")


def revenue_surprise(frame: pd.DataFrame) -> pd.Series:
    """Revenue against its estimate, ``(revenue - estimate) / estimate``.

    Parameters
    ----------
    frame : DataFrame
        ``Announcements.frame`` with ``revenue_actual`` and ``revenue_estimate``.

    Returns
    -------
    Series
        Decimals; NaN unless the estimate is positive.
    """
    require(frame, ("revenue_actual", "revenue_estimate"), "A revenue surprise needs an actual and an estimate.")
    actual, estimate = figures(frame, "revenue_actual", "revenue_estimate")
    return ((actual - estimate) / estimate.where(estimate > 0)).rename("revenue_surprise")


def signals(
    announcements: Announcements, *, dead_band: float = DEAD_BAND, orientation: Mapping[str, int] | None = None
) -> pd.DataFrame:
    """Everything an announcement brought, against what was expected: +1 above, 0 in line, -1 below.

    EPS, revenue and guidance come from the announcements' own columns, users, capex and the
    like from its metrics table (bases ``consensus`` and ``previous_guidance``; a comparison
    with the year before is no surprise). Where both have a figure the columns come first.

    Parameters
    ----------
    announcements : Announcements
    dead_band : float, default 0.01
        Relative differences smaller than this are in line.
    orientation : mapping of name to -1, optional
        Signals of which less is better. Nothing is assumed: higher capital expenditure is
        ``+1``, above expectation, unless said otherwise.

    Returns
    -------
    DataFrame, events x signals
        Indexed by ``event_id``; NaN without an estimate, and for guidance without a date of its
        consensus or one end of its range, whether a cell or the whole column is missing.
    """
    _check_dead_band(dead_band)
    frame = announcements.frame.set_index("event_id")
    columns = pd.DataFrame(index=frame.index)
    if {"eps_actual", "eps_estimate"} <= set(frame.columns):
        columns["eps"] = percentage_surprise(frame)
    if {"revenue_actual", "revenue_estimate"} <= set(frame.columns):
        columns["revenue"] = revenue_surprise(frame)
    if "guidance_consensus" in frame.columns:
        columns["guidance"] = _guidance(frame)
    metrics = _signals.metric_surprises(announcements.metrics, announcements.frame["event_id"])
    found = columns.combine_first(metrics)[[*columns.columns, *metrics.columns.difference(columns.columns, sort=False)]]
    return _signals.signs(found.reindex(frame.index), dead_band, orientation or {})


def signal_class(signals: pd.DataFrame) -> pd.Series:
    """``all above``, ``mixed``, ``all below``, ``in line`` or ``no estimate`` per announcement."""
    return _signals.classify(signals)


def table(
    announcements: Announcements | pd.DataFrame,
    *,
    close: pd.DataFrame | None = None,
    dead_band: float = DEAD_BAND,
    floor: float = FLOOR,
    history: int = 8,
) -> pd.DataFrame:
    """Every measure that the table of announcements allows, ready as covariates of a regression.

    Parameters
    ----------
    announcements : Announcements or DataFrame
        All that is known of these firms, since earlier quarters are the history of later
        ones. A bare ``Announcements.frame`` will do for what needs no calendar and no metrics.
    close : DataFrame, sessions x tickers, optional
        Split-adjusted closes, for the price-scaled measures.
    dead_band, floor, history
        As in :func:`surprise_class`, :func:`percentage_surprise` and
        :func:`standardized_unexpected_earnings`.

    Returns
    -------
    DataFrame indexed by ``event_id``
        ``eps_surprise, surprise_class, sue_seasonal, sue, sue_foster`` with EPS columns;
        ``price_scaled`` and ``price_scaled_seasonal`` with ``close``; ``revenue_surprise``,
        ``dispersion_scaled`` with theirs; ``guidance_revision`` with a ``guidance_consensus``,
        NaN where the other columns of guidance are missing; ``signals`` with metrics,
        revenue or guidance; ``note``, why ``sue`` is missing.
    """
    frame = announcements if isinstance(announcements, pd.DataFrame) else announcements.frame
    has = set(frame.columns)
    found: dict[str, pd.Series] = {}
    if {"eps_actual", "eps_estimate"} <= has:
        found["eps_surprise"] = percentage_surprise(frame, floor)
        found["surprise_class"] = surprise_class(found["eps_surprise"], dead_band)
    if "eps_actual" in has:
        by_method = {name: standardized_unexpected_earnings(frame, name, history=history) for name in METHODS}
        found |= {name: by_method[method]["sue"] for name, method in _SUE_COLUMNS.items()}
        found["note"] = by_method["seasonal-drift"]["note"]
        if close is not None and isinstance(announcements, Announcements):
            price = close_before(frame, close, announcements.timed()["day_zero"])
            found["price_scaled_seasonal"] = price_scaled(frame, price, "seasonal")
            if "eps_estimate" in has:
                found["price_scaled"] = price_scaled(frame, price)
    if {"revenue_actual", "revenue_estimate"} <= has:
        found["revenue_surprise"] = revenue_surprise(frame)
    if {"eps_estimate_sd", "eps_estimate_count", "eps_actual", "eps_estimate"} <= has:
        found["dispersion_scaled"] = dispersion_scaled(frame)
    if "guidance_consensus" in has:
        found["guidance_revision"] = _guidance(frame)
    columns = pd.DataFrame(found, index=frame.index).set_index(pd.Index(frame["event_id"]))
    if isinstance(announcements, Announcements):
        known = signals(announcements, dead_band=dead_band)
        if known.shape[1] > 1:
            columns["signals"] = signal_class(known)
    return columns


def with_measures(announcements: Announcements, **options: Any) -> Announcements:
    """The announcements with the columns of :func:`table` as further covariates.

    So a study carries them along: ``results.events["sue"]``, ``results.test(..., by="surprise_class")``,
    ``regress(results, "car ~ sue")``. Columns that are there already stay as they are.

    Parameters
    ----------
    announcements : Announcements
    **options
        As in :func:`table`.
    """
    found = table(announcements, **options).drop(columns="note", errors="ignore")
    return announcements.with_covariates(found[found.columns.difference(announcements.frame.columns, sort=False)])


_GUIDANCE = ("guidance_low", "guidance_high", "guidance_consensus", "guidance_consensus_as_of")

_SUE_COLUMNS = {"sue_seasonal": "seasonal", "sue": "seasonal-drift", "sue_foster": "foster"}


def _guidance(frame: pd.DataFrame) -> pd.Series:
    """Revision of guidance; a column that the table lacks is missing in every row, which gives NaN."""
    lacking = [name for name in _GUIDANCE if name not in frame.columns]
    return guidance_revision(frame.assign(**dict.fromkeys(lacking, np.nan)))["guidance_revision"]


def _check_dead_band(dead_band: float) -> None:
    if not dead_band >= 0:
        raise ParameterError("negative dead-band", parameter="dead_band", value=dead_band, allowed="0 or more")
