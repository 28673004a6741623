"""The batched numerical kernels: arrays in, arrays out, no pandas and no loop over events.

Layout
------
Returns are *firm-major* and padded: an array of shape ``(n_firms, n_columns)`` whose
columns are the sessions of the grid with NaN columns before and after, so that every
window of every event lies inside it. An estimation window is then one contiguous
run of memory, and reading it is what the kernel's time is spent on.

Notation follows Campbell, Lo and MacKinlay (1997, ch. 4): ``y = R - offset`` is
regressed on a constant and ``p`` regressors ``z``; ``M`` usable rows, ``k``
estimated coefficients.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from tqdm import tqdm

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Events handled together: few enough for the temporaries to stay in cache, enough for
#: numpy's overhead a call, during which threads wait for each other, not to matter.
CHUNK = 1024

#: From this many events on a progress bar is shown.
PROGRESS_FROM = 250_000

#: Regressors whose scaled cross-product matrix has a smaller reciprocal condition
#: number than this are collinear on the window.
COLLINEAR = 1e-13


@dataclass(frozen=True)
class Cut:
    """Announcements whose neighbourhood is cut from the estimation windows of their firm's other events.

    Attributes
    ----------
    keys : ndarray of int64, ascending
        ``owner * stride + column`` of every known announcement, with ``owner`` as in :class:`Events`.
    stride : int
        More than the panel has columns.
    days : tuple of int
        Relative days that are cut around an announcement.
    """

    keys: Ints
    stride: int
    days: tuple[int, ...]

    def clear(self, window: Floats, events: Events, start: int) -> None:
        """Set the cut days of estimation windows that begin on relative day ``start`` to NaN, in place."""
        length = window.shape[1]
        own = events.owner * self.stride + events.day
        first = np.searchsorted(self.keys, own + start - max(self.days), side="left")
        after = np.searchsorted(self.keys, own + start + length - 1 - min(self.days), side="right")
        # One line for each announcement in reach of each window.
        n = after - first
        event = np.repeat(np.arange(len(own)), n)
        place = np.arange(len(event)) + np.repeat(first - (np.cumsum(n) - n), n)
        relative = self.keys[place] - own[event]
        other = relative != 0
        event, relative = event[other], relative[other]
        for day in self.days:
            column = relative + day - start
            inside = (column >= 0) & (column < length)
            window[event[inside], column[inside]] = np.nan


@dataclass(frozen=True)
class Panel:
    """Padded firm-major arrays that every window is read from.

    Attributes
    ----------
    y : ndarray of shape (n_firms, n_columns)
        Return minus the model's offset; NaN where the return, the offset or any
        regressor is missing.
    regressors : ndarray of shape (p, n_columns) or (p, n_firms, n_columns)
        Regressors without the constant, 0 where missing (``y`` is NaN there). They are
        common to all firms unless they have a firm axis.
    constant : bool
        Whether the model has an intercept.
    weights : ndarray of shape (n_firms, n_columns), optional
        Of a regression in which ``y`` and the regressors were divided by the weight; an
        abnormal return is the residual times it (trade-to-trade returns).
    cut : Cut, optional
        What estimation windows leave out.
    y_estimation : ndarray of shape (n_firms, n_columns), optional
        What they are read from, where that is not ``y``.
    """

    y: Floats
    regressors: Floats
    constant: bool
    weights: Floats | None = None
    cut: Cut | None = None
    y_estimation: Floats | None = None

    @property
    def n_coefficients(self) -> int:
        """The number of estimated coefficients ``k``."""
        return int(self.constant) + len(self.regressors)

    @property
    def source(self) -> Floats:
        """What estimation windows are read from."""
        return self.y if self.y_estimation is None else self.y_estimation


@dataclass(frozen=True)
class Events:
    """Where the events sit in a panel.

    Attributes
    ----------
    firm, day : ndarray of int64, shape (n_events,)
        Row and column of day zero in the panel.
    owner : ndarray of int64, shape (n_events,)
        The firm that announced; another number than ``firm`` where every event has a
        panel row of its own.
    """

    firm: Ints
    day: Ints
    owner: Ints

    def __len__(self) -> int:
        return len(self.firm)

    def part(self, rows: slice | NDArray[np.intp]) -> Events:
        """The events of ``rows`` only."""
        return Events(self.firm[rows], self.day[rows], self.owner[rows])


@dataclass(frozen=True)
class LinearFit:
    """Estimates of one linear model for every event.

    The prediction of relative day ``t`` is ``intercept + z_t @ slopes`` and its
    error has variance ``sigma**2 * C_t`` with, for a model with a constant,
    ``C_t = 1 + 1/M + (z_t - centre)' G (z_t - centre)`` (METHODS 3.3; Patell 1976,
    p. 256; Campbell, Lo and MacKinlay 1997, sec. 4.4.2). Without a constant
    ``centre`` is 0 and the ``1/M`` is absent.

    Attributes
    ----------
    intercept, sigma, r_squared : ndarray of shape (n_events,)
        ``sigma`` is ``sqrt(SSR / (M - k))``. All NaN where there are not more rows
        than coefficients or the regressors are collinear.
    slopes, centre : ndarray of shape (n_events, p)
    gram_inverse : ndarray of shape (n_events, p, p)
        ``G``, the inverse of the (centred) cross products of the regressors.
    n_observations : ndarray of int64, shape (n_events,)
        ``M``, complete rows of the estimation window after the cut.
    collinear : ndarray of bool, shape (n_events,)
        The regressors do not identify the coefficients on this window.
    """

    constant: bool
    intercept: Floats
    slopes: Floats
    sigma: Floats
    r_squared: Floats
    n_observations: Ints
    centre: Floats
    gram_inverse: Floats
    collinear: NDArray[np.bool_]

    @property
    def n_coefficients(self) -> int:
        """The number of estimated coefficients ``k``."""
        return int(self.constant) + self.slopes.shape[1]

    @property
    def degrees_of_freedom(self) -> Ints:
        """``M - k`` per event."""
        return self.n_observations - self.n_coefficients


def run_in_chunks(
    work: Callable[[slice], None], n: int, chunk: int = CHUNK, workers: int | None = None, label: str = ""
) -> None:
    """Call ``work`` on consecutive slices of ``range(n)``, on all cores when it pays.

    numpy releases the interpreter's lock inside its loops, so threads suffice and
    nothing is copied. Slices write to disjoint rows; the result does not depend
    on the number of threads. With many events and a ``label`` a progress bar shows on stderr.
    """
    slices = [slice(start, min(start + chunk, n)) for start in range(0, n, chunk)]
    threads = min(workers or os.cpu_count() or 1, max(1, len(slices) // 8))
    quiet = not label or n < PROGRESS_FROM
    with tqdm(total=n, desc=label, unit=" events", unit_scale=True, leave=False, disable=quiet) as bar:
        if threads == 1:
            for part in slices:
                work(part)
                bar.update(part.stop - part.start)
            return
        with ThreadPoolExecutor(threads) as pool:
            # Going through the results waits for them and re-raises what a worker raised.
            for part, _ in zip(slices, pool.map(work, slices), strict=True):
                bar.update(part.stop - part.start)


def gather(values: Floats, rows: Ints, first: Ints, length: int) -> Floats:
    """Runs of ``length`` columns, one an event: ``values[rows[i], first[i]:first[i] + length]``.

    Returns
    -------
    ndarray of shape (n_events, length)
        A fresh array.
    """
    return sliding_window_view(values, length, axis=1)[rows, first]


def estimation_returns(panel: Panel, events: Events, estimation: tuple[int, int]) -> Floats:
    """``y`` over the estimation window, NaN on missing and cut days; shape (n_events, T1 - T0 + 1)."""
    start, end = estimation
    window = gather(panel.source, events.firm, events.day + start, end - start + 1)
    if panel.cut is not None:
        panel.cut.clear(window, events, start)
    return window


def fit_linear(panel: Panel, events: Events, estimation: tuple[int, int], workers: int | None = None) -> LinearFit:
    """Ordinary least squares of every event's estimation window at once.

    Two passes as in a careful textbook: means first, then centred cross products
    and explicit residuals, so that nothing is lost to cancellation however well
    the regressors explain the return.

    Parameters
    ----------
    panel : Panel
    events : Events
    estimation : (int, int)
        First and last relative day, both included.
    workers : int, optional
        Threads; by default the number of cores.

    Returns
    -------
    LinearFit
    """
    n, p = len(events), len(panel.regressors)
    fit = LinearFit(
        constant=panel.constant,
        intercept=np.zeros(n),
        slopes=np.empty((n, p)),
        sigma=np.empty(n),
        r_squared=np.empty(n),
        n_observations=np.empty(n, dtype=np.int64),
        centre=np.zeros((n, p)),
        gram_inverse=np.empty((n, p, p)),
        collinear=np.zeros(n, dtype=bool),
    )
    run_in_chunks(
        lambda rows: _fit_chunk(panel, events.part(rows), estimation, fit, rows), n, workers=workers, label="estimation"
    )
    return fit


def _fit_chunk(panel: Panel, events: Events, estimation: tuple[int, int], fit: LinearFit, rows: slice) -> None:
    """Fill ``rows`` of ``fit``."""
    y = estimation_returns(panel, events, estimation)
    missing = np.isnan(y)
    present = (~missing).astype(np.float64)
    np.putmask(y, missing, 0.0)
    m = np.einsum("ij->i", present)
    # Rows without an observation are settled below; 1 keeps the arithmetic quiet.
    m_safe = np.maximum(m, 1.0)

    y_mean = y.sum(axis=1) / m_safe if panel.constant else np.zeros(len(y))
    if panel.constant:
        y -= y_mean[:, None]
        y *= present
    total = np.einsum("ij,ij->i", y, y)

    centred = []
    for j, regressor in enumerate(panel.regressors):
        z = _regressor_runs(regressor, events, estimation[0], y.shape[1])
        if panel.constant:
            mean = np.einsum("ij,ij->i", z, present) / m_safe
            fit.centre[rows, j] = mean
            z -= mean[:, None]
        z *= present
        centred.append(z)
    slopes, inverse, collinear = _solve(centred, y)

    for j, z in enumerate(centred):
        z *= slopes[:, j, None]
        y -= z
    ssr = np.einsum("ij,ij->i", y, y)
    # Residuals at the level of rounding are zero: a stock that is its own market.
    rounding = 8 * np.finfo(np.float64).eps
    ssr[ssr <= rounding**2 * (total + m * y_mean**2)] = 0.0

    df = m - panel.n_coefficients
    undefined = (df <= 0) | collinear
    with np.errstate(divide="ignore", invalid="ignore"):
        sigma = np.sqrt(ssr / np.where(undefined, np.nan, df))
        explained = 1 - ssr / np.where(undefined | (total == 0), np.nan, total)
    slopes[undefined] = np.nan
    fit.slopes[rows] = slopes
    fit.gram_inverse[rows] = inverse
    fit.collinear[rows] = collinear
    fit.sigma[rows] = sigma
    fit.r_squared[rows] = explained if panel.n_coefficients else np.nan
    fit.n_observations[rows] = m.astype(np.int64)
    if panel.constant:
        intercept = y_mean - np.einsum("ij,ij->i", slopes, fit.centre[rows])
        fit.intercept[rows] = np.where(undefined, np.nan, intercept)


def _solve(regressors: list[Floats], y: Floats) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Slopes, inverse cross products and a flag for collinear windows, event by event."""
    n, p = len(y), len(regressors)
    if p == 0:
        return np.zeros((n, 0)), np.zeros((n, 0, 0)), np.zeros(n, dtype=bool)
    gram, moment = np.empty((n, p, p)), np.empty((n, p))
    for i, left in enumerate(regressors):
        moment[:, i] = np.einsum("ij,ij->i", left, y)
        for j, right in enumerate(regressors[: i + 1]):
            gram[:, i, j] = gram[:, j, i] = np.einsum("ij,ij->i", left, right)
    scale = np.sqrt(np.einsum("ijj->ij", gram))
    # A "constant" regressor leaves rounding noise behind its mean, not zero.
    flat = (scale <= 1e-14 * np.sqrt(y.shape[1])).any(axis=1)
    scale[scale == 0] = 1.0
    unit = gram / (scale[:, :, None] * scale[:, None, :])
    if p > 1:
        roots = np.linalg.eigvalsh(unit)
        collinear = flat | (roots[:, 0] < COLLINEAR * roots[:, -1])
    else:
        collinear = flat
    unit[collinear] = np.eye(p)
    inverse = np.linalg.inv(unit) if p > 1 else 1.0 / unit
    inverse /= scale[:, :, None] * scale[:, None, :]
    return np.einsum("ijk,ik->ij", inverse, moment), inverse, collinear


def event_regressors(panel: Panel, events: Events, window: tuple[int, int]) -> Floats:
    """Regressors over a relative window, ``z``; shape (n_events, L, p)."""
    length = window[1] - window[0] + 1
    runs = [_regressor_runs(regressor, events, window[0], length) for regressor in panel.regressors]
    return np.stack(runs, axis=-1) if runs else np.empty((len(events), length, 0))


def _regressor_runs(regressor: Floats, events: Events, start: int, length: int) -> Floats:
    """One regressor over a relative window of each event; a fresh array of shape (n_events, length)."""
    if regressor.ndim == 2:
        return gather(regressor, events.firm, events.day + start, length)
    return sliding_window_view(regressor, length)[events.day + start]


def event_weights(panel: Panel, events: Events, window: tuple[int, int]) -> Floats | None:
    """Weights over a relative window, 0 where there is none; None for an unweighted panel."""
    if panel.weights is None:
        return None
    runs = gather(panel.weights, events.firm, events.day + window[0], window[1] - window[0] + 1)
    return np.nan_to_num(runs, nan=0.0)


def abnormal_returns(
    panel: Panel, events: Events, fit: LinearFit, window: tuple[int, int], workers: int | None = None
) -> tuple[Floats, Floats]:
    """Abnormal returns and their forecast-error corrected standard errors over a window.

    Returns
    -------
    abnormal, standard_errors : ndarray of shape (n_events, L)
        ``AR_t = y_t - intercept - z_t' slopes`` and ``sigma sqrt(C_t)``, both NaN
        where the return or a regressor is missing.
    """
    length = window[1] - window[0] + 1
    # Day by day in memory, as a frame holds its columns: windows and tables then copy whole runs.
    abnormal = np.empty((len(events), length), order="F")
    errors = np.empty_like(abnormal)

    def work(rows: slice) -> None:
        part = events.part(rows)
        y = gather(panel.y, part.firm, part.day + window[0], length)
        c = np.full_like(y, 1.0)
        if fit.constant:
            y -= fit.intercept[rows, None]
            c += 1.0 / np.maximum(fit.n_observations[rows, None], 1)
        if len(panel.regressors):
            z = event_regressors(panel, part, window)
            y -= np.einsum("ilp,ip->il", z, fit.slopes[rows])
            z -= fit.centre[rows, None, :]
            c += np.einsum("ilp,ilp->il", np.einsum("ilq,iqp->ilp", z, fit.gram_inverse[rows]), z)
        np.sqrt(c, out=c)
        c *= fit.sigma[rows, None]
        weights = event_weights(panel, part, window)
        if weights is not None:
            y *= weights
            c *= weights
        abnormal[rows] = y
        c[np.isnan(y)] = np.nan
        errors[rows] = c

    run_in_chunks(work, len(events), chunk=2 * CHUNK, workers=workers, label="abnormal returns")
    return abnormal, errors


def cumulative(
    panel: Panel, events: Events, fit: LinearFit, abnormal: Floats, window: tuple[int, int]
) -> tuple[Floats, Floats, Ints]:
    r"""Cumulative abnormal return over the present days of a window, with its variance factor.

    .. math::  CAR_i = \sum_{t \in W} AR_{it}, \qquad
               Var(CAR_i) = \sigma_i^2 \left[L + L^2/M + d'Gd\right], \quad
               d = \sum_{t \in W} (z_t - \bar z)

    The full covariance of the forecast errors (METHODS 3.4; Mikkelson and Partch
    1988, JFE 20), not only its diagonal.

    Parameters
    ----------
    abnormal : ndarray of shape (n_events, L)
        Abnormal returns of the window's days, NaN where missing.

    Returns
    -------
    car, factor : ndarray of shape (n_events,)
        Sum over the days present, and the bracket above on those days.
    n_days : ndarray of int64, shape (n_events,)
        Days present; the caller applies its policy for the others.
    """
    present = ~np.isnan(abnormal)
    n_days = present.sum(axis=1)
    car = np.where(present, abnormal, 0.0).sum(axis=1)
    weights = event_weights(panel, events, window)
    w = present.astype(np.float64) if weights is None else np.where(present, weights, 0.0)
    factor = np.einsum("il,il->i", w, w)
    total = w.sum(axis=1)
    if fit.constant:
        factor += total**2 / np.maximum(fit.n_observations, 1)
    if len(panel.regressors):
        z = event_regressors(panel, events, window)
        d = np.einsum("ilp,il->ip", z, w) - total[:, None] * fit.centre
        factor += np.einsum("ip,ip->i", np.einsum("iq,iqp->ip", d, fit.gram_inverse), d)
    return car, factor, n_days


def sessions_spanned(
    panel: Panel, events: Events, abnormal: Floats, window: tuple[int, int]
) -> tuple[Ints, NDArray[np.bool_]]:
    """Sessions that a weighted panel's returns span in a window, and which windows they reach out of.

    Returns
    -------
    spanned : ndarray of int64, shape (n_events,)
        Sum of the squared weights over the days present.
    reaching : ndarray of bool, shape (n_events,)
        The first return of the window spans sessions before it.
    """
    weights = event_weights(panel, events, window)
    assert weights is not None
    present = ~np.isnan(abnormal)
    n = np.where(present, np.rint(weights**2), 0).astype(np.int64)
    first = present.argmax(axis=1)
    reaching = present.any(axis=1) & (n[np.arange(len(n)), first] > first + 1)
    return n.sum(axis=1), reaching


def residuals(panel: Panel, events: Events, fit: LinearFit, estimation: tuple[int, int]) -> Floats:
    """Residuals of the estimation window, NaN on days that were not used; shape (n_events, T1 - T0 + 1)."""
    e = estimation_returns(panel, events, estimation)
    if fit.constant:
        e -= fit.intercept[:, None]
    for j, regressor in enumerate(panel.regressors):
        z = _regressor_runs(regressor, events, estimation[0], e.shape[1])
        z *= fit.slopes[:, j, None]
        e -= z
    return e


def select(fit: LinearFit, rows: NDArray[np.intp] | slice) -> LinearFit:
    """The estimates of some events only."""
    return replace(
        fit,
        **{name: getattr(fit, name)[rows] for name in LinearFit.__dataclass_fields__ if name != "constant"},
    )


def chunks(n: int, size: int) -> Iterator[slice]:
    """Consecutive slices of ``range(n)``."""
    return (slice(start, min(start + size, n)) for start in range(0, n, size))
