r"""What the rank, sign and crude-dependence tests need from the estimation windows, in one pass.

Residuals are read chunk by chunk and reduced to sums per relative day, so that a million
events need no more memory than a thousand. Windows share the pass: an event enters the
sums of every window for which it has a complete CAR.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from research.study.estimation import run_in_chunks

Floats = NDArray[np.float64]

#: Reads the residuals of a slice of events.
ChunkReader = Callable[[slice], Floats]

#: Events ranked together.
_CHUNK = 256

#: What can be asked for.
NEEDS = ("daily_mean", "positive_share", "corrado", "corrado_zivney", "grank")


@dataclass
class DaySums:
    """Sums over the events of one window, per relative day of EST and EVT.

    Attributes
    ----------
    corrado, corrado_zivney, grank : ndarray of shape (n_days,)
        Sums of the centred ranks U over the events with that day; for ``grank`` the
        columns are EST and, last, the event "day".
    """

    n_events: int
    present: Floats = field(default_factory=lambda: np.empty(0))
    residual: Floats = field(default_factory=lambda: np.empty(0))
    corrado: Floats = field(default_factory=lambda: np.empty(0))
    corrado_zivney: Floats = field(default_factory=lambda: np.empty(0))
    grank: Floats = field(default_factory=lambda: np.empty(0))
    grank_present: Floats = field(default_factory=lambda: np.empty(0))
    grank_variance: float = 0.0
    positive_share: float = 0.0


@dataclass(frozen=True)
class EventArrays:
    """What stands ready for all events.

    Attributes
    ----------
    abnormal, errors : ndarray of shape (n_events, L)
        Abnormal returns of the event window and their standard errors.
    sigma : ndarray of shape (n_events,)
    """

    abnormal: Floats
    errors: Floats
    sigma: Floats

    def standardised(self) -> Floats:
        """Abnormal returns over their standard errors, NaN where undefined."""
        with np.errstate(divide="ignore", invalid="ignore"):
            values = self.abnormal / self.errors
        values[~np.isfinite(values)] = np.nan
        return values


def row_ranks(values: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Ranks 1..n within each row, ties averaged; 0 for NaN, which has no rank.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_days)

    Returns
    -------
    ranks : ndarray of the same shape
    missing : ndarray of bool, of the same shape
    """
    missing = np.isnan(values)
    # numpy sorts arrays without NaN several times faster; infinity keeps them last as well.
    filled = np.where(missing, np.inf, values)
    ranks = np.empty_like(filled)
    positions = np.broadcast_to(np.arange(1.0, values.shape[1] + 1), values.shape)
    np.put_along_axis(ranks, np.argsort(filled, axis=1), positions, axis=1)
    ordered = np.sort(filled, axis=1)
    tied = ((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] < np.inf)).any(axis=1)
    if tied.any():
        ranks[tied] = rankdata(filled[tied], axis=1)
    ranks[missing] = 0.0
    return ranks, missing


def day_sums(
    read: ChunkReader,
    events: EventArrays,
    masks: NDArray[np.bool_],
    scars: Floats,
    needs: Iterable[str],
    workers: int | None = None,
) -> list[DaySums]:
    """One pass over all events for several windows.

    Parameters
    ----------
    read : callable
        Residuals of EST for a slice of events.
    events : EventArrays
    masks : ndarray of bool, shape (n_windows, n_events)
        Which events have a complete CAR in each window.
    scars : ndarray of shape (n_windows, n_events)
        SCAR of each window divided by its cross-sectional standard deviation (for GRANK).
    needs : iterable of str
        Out of :data:`NEEDS`.

    Returns
    -------
    list of DaySums, one a window
    """
    wanted = set(needs)
    task = _Task(wanted, events, masks, scars, _scaled(events, masks) if "corrado_zivney" in wanted else [])
    parts: dict[int, list[DaySums]] = {}

    def work(rows: slice) -> None:
        parts[rows.start] = task.sums(read(rows), rows)

    run_in_chunks(work, masks.shape[1], chunk=_CHUNK, workers=workers, label="ranks")
    totals = [DaySums(int(mask.sum())) for mask in masks]
    # Added in a fixed order, so that the result does not depend on the threads.
    for start in sorted(parts):
        for total, part in zip(totals, parts[start], strict=True):
            _add(total, part)
    return totals


def _add(total: DaySums, part: DaySums) -> None:
    for name in ("present", "residual", "corrado", "corrado_zivney", "grank", "grank_present"):
        ours, theirs = getattr(total, name), getattr(part, name)
        setattr(total, name, theirs if not ours.size else ours + theirs if theirs.size else ours)
    total.grank_variance += part.grank_variance
    total.positive_share += part.positive_share


@dataclass(frozen=True)
class _Task:
    """One pass: what is wanted of which events."""

    wanted: set[str]
    events: EventArrays
    masks: NDArray[np.bool_]
    scars: Floats
    scaled: list[tuple[Floats, list[int]]]

    def sums(self, residual: Floats, rows: slice) -> list[DaySums]:
        """Sums of one chunk, one a window."""
        inside = self.masks[:, rows].astype(np.float64)
        sums = [DaySums(0) for _ in inside]
        if self.wanted & {"daily_mean", "corrado", "corrado_zivney"}:
            both = np.concatenate([residual, self.events.abnormal[rows]], axis=1)
            _spread_out(sums, "present", inside @ (~np.isnan(both)).astype(np.float64))
            if "corrado" in self.wanted:
                _spread_out(sums, "corrado", _centred_sums(both, inside))
        if "daily_mean" in self.wanted:
            _spread_out(sums, "residual", inside @ np.nan_to_num(residual, nan=0.0))
        if "positive_share" in self.wanted:
            with np.errstate(invalid="ignore"):
                share = (residual > 0).sum(axis=1) / np.maximum((~np.isnan(residual)).sum(axis=1), 1)
            for total, weight in zip(sums, inside, strict=True):
                total.positive_share = float(share @ weight)
        if self.wanted & {"corrado_zivney", "grank"}:
            with np.errstate(divide="ignore", invalid="ignore"):
                standard = residual / self.events.sigma[rows, None]
            for scaled, windows in self.scaled:
                both = np.concatenate([standard, scaled[rows]], axis=1)
                for w, row in zip(windows, _centred_sums(both, inside[windows]), strict=True):
                    sums[w].corrado_zivney = row
            if "grank" in self.wanted:
                _add_grank(sums, standard, self.masks[:, rows], self.scars[:, rows])
        return sums


def _spread_out(sums: list[DaySums], name: str, rows: Floats) -> None:
    for total, row in zip(sums, rows, strict=True):
        setattr(total, name, row)


def _centred_sums(values: Floats, inside: Floats) -> Floats:
    r"""Sum over events of :math:`U = rank/(n_i + 1) - \tfrac12` per day; shape (n_windows, n_days)."""
    ranks, missing = row_ranks(values)
    weights = inside / (values.shape[1] - missing.sum(axis=1) + 1)
    return weights @ ranks - 0.5 * (inside @ (~missing).astype(np.float64))


def _scaled(events: EventArrays, masks: NDArray[np.bool_]) -> list[tuple[Floats, list[int]]]:
    """Standardised event-window returns over their day's cross-sectional standard deviation (divisor N-1).

    Windows with the same events share one array; the second member lists them.
    """
    values = events.standardised()
    groups: dict[bytes, list[int]] = {}
    for w, mask in enumerate(masks):
        groups.setdefault(mask.tobytes(), []).append(w)
    return [(values / _column_spread(values[masks[windows[0]]]), windows) for windows in groups.values()]


def _column_spread(values: Floats) -> Floats:
    """Standard deviation of each column's present values, NaN below two of them."""
    present = ~np.isnan(values)
    n = present.sum(axis=0)
    filled = np.where(present, values, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        squares = (np.where(present, values - filled.sum(axis=0) / n, 0.0) ** 2).sum(axis=0)
        return np.where((n > 1) & (squares > 0), np.sqrt(squares / (n - 1)), np.nan)


def _add_grank(sums: list[DaySums], standard: Floats, masks: NDArray[np.bool_], scars: Floats) -> None:
    """Ranks of the standardised residuals with the standardised CAR as one extra day.

    The extra value pushes up the ranks of those above it, and half those of its ties.
    """
    ranks, missing = row_ranks(standard)
    present = (~missing).astype(np.float64)
    count = present.sum(axis=1)
    for w, (mask, scar) in enumerate(zip(masks, scars, strict=True)):
        usable = mask & np.isfinite(scar)
        with np.errstate(invalid="ignore"):
            above = (standard > scar[:, None]).astype(np.float64)
            equal = standard == scar[:, None]
        if equal.any():
            above += 0.5 * equal
        weight = np.where(usable, 1 / (count + 2), 0.0)
        chosen = usable.astype(np.float64)
        estimation = weight @ ranks + weight @ above - 0.5 * (chosen @ present)
        zero = (weight * (count - above.sum(axis=1) + 1)).sum() - 0.5 * chosen.sum()
        sums[w].grank = np.append(estimation, zero)
        sums[w].grank_present = np.append(chosen @ present, chosen.sum())
        sums[w].grank_variance = float((chosen * count / (12 * (count + 2))).sum())
