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

#: Reads (residuals, abnormal returns, sigma, standard errors) of a slice of events.
ChunkReader = Callable[[slice], tuple[Floats, Floats, Floats, Floats]]

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


def row_ranks(values: Floats) -> Floats:
    """Ranks 1..n within each row, ties averaged; NaN has no rank.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_days)

    Returns
    -------
    ndarray of the same shape
    """
    order = np.argsort(values, axis=1)  # NaN sorts last
    ranks = np.empty_like(values)
    positions = np.broadcast_to(np.arange(1.0, values.shape[1] + 1), values.shape)
    np.put_along_axis(ranks, order, positions, axis=1)
    ordered = np.take_along_axis(values, order, axis=1)
    tied = (ordered[:, 1:] == ordered[:, :-1]).any(axis=1)
    if tied.any():
        ranks[tied] = rankdata(values[tied], axis=1, nan_policy="omit")
    ranks[np.isnan(values)] = np.nan
    return ranks


def centred(ranks: Floats) -> tuple[Floats, Floats]:
    r"""Centred ranks :math:`U = rank/(n_i + 1) - \tfrac12` with 0 where absent, and presence as 0/1."""
    present = (~np.isnan(ranks)).astype(np.float64)
    u = ranks / (present.sum(axis=1, keepdims=True) + 1) - 0.5
    return np.where(present > 0, u, 0.0), present


def day_sums(
    read: ChunkReader,
    masks: NDArray[np.bool_],
    scars: Floats,
    needs: Iterable[str],
    workers: int | None = None,
) -> list[DaySums]:
    """One pass over all events for several windows.

    Parameters
    ----------
    read : callable
        Residuals of EST, abnormal returns of EVT, sigma and standard errors for a slice of events.
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
    n = masks.shape[1]
    spreads = _event_spreads(read, masks) if "corrado_zivney" in wanted else None
    parts: dict[int, list[DaySums]] = {}

    def work(rows: slice) -> None:
        parts[rows.start] = _chunk_sums(read(rows), masks[:, rows], scars[:, rows], wanted, spreads)

    run_in_chunks(work, n, chunk=_CHUNK, workers=workers)
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


def _chunk_sums(
    chunk: tuple[Floats, Floats, Floats, Floats],
    masks: NDArray[np.bool_],
    scars: Floats,
    wanted: set[str],
    spreads: list[Floats] | None,
) -> list[DaySums]:
    residual, abnormal, sigma, errors = chunk
    inside = masks.astype(np.float64)
    sums = [DaySums(0) for _ in masks]
    with np.errstate(invalid="ignore"):
        share = (residual > 0).sum(axis=1) / np.maximum((~np.isnan(residual)).sum(axis=1), 1)
    both = np.concatenate([residual, abnormal], axis=1)
    if wanted & {"daily_mean", "corrado", "corrado_zivney"}:
        _spread_out(sums, "present", inside @ (~np.isnan(both)).astype(np.float64))
    if "daily_mean" in wanted:
        _spread_out(sums, "residual", inside @ np.nan_to_num(residual, nan=0.0))
    if "corrado" in wanted:
        u, _ = centred(row_ranks(both))
        _spread_out(sums, "corrado", inside @ u)
    if "corrado_zivney" in wanted and spreads is not None:
        _add_corrado_zivney(sums, residual, abnormal, sigma, errors, inside, spreads)
    if "grank" in wanted:
        _add_grank(sums, residual, sigma, masks, scars)
    for w, total in enumerate(sums):
        total.positive_share = float(share @ inside[w])
    return sums


def _spread_out(sums: list[DaySums], name: str, rows: Floats) -> None:
    for total, row in zip(sums, rows, strict=True):
        setattr(total, name, row)


def _add_corrado_zivney(
    sums: list[DaySums],
    residual: Floats,
    abnormal: Floats,
    sigma: Floats,
    errors: Floats,
    inside: Floats,
    spreads: list[Floats],
) -> None:
    """Ranks with the event window's standardised returns divided by their cross-sectional spread."""
    with np.errstate(divide="ignore", invalid="ignore"):
        standard, event = residual / sigma[:, None], abnormal / errors
    done: dict[bytes, Floats] = {}
    for w, spread in enumerate(spreads):
        key = spread.tobytes()
        if key not in done:  # windows with the same events share the ranks
            done[key] = centred(row_ranks(np.concatenate([standard, event / spread], axis=1)))[0]
        sums[w].corrado_zivney = inside[w] @ done[key]


def _event_spreads(read: ChunkReader, masks: NDArray[np.bool_]) -> list[Floats]:
    """Cross-sectional standard deviation (divisor N-1) of the standardised returns of each event day."""
    n = masks.shape[1]
    event = []
    for start in range(0, n, 16 * _CHUNK):
        _, abnormal, _, errors = read(slice(start, min(start + 16 * _CHUNK, n)))
        with np.errstate(divide="ignore", invalid="ignore"):
            event.append(abnormal / errors)
    values = np.concatenate(event) if event else np.empty((0, 0))
    values[~np.isfinite(values)] = np.nan
    spreads: list[Floats] = []
    done: dict[bytes, Floats] = {}
    for mask in masks:
        key = mask.tobytes()
        if key not in done:
            done[key] = _column_spread(values[mask])
        spreads.append(done[key])
    return spreads


def _column_spread(values: Floats) -> Floats:
    """Standard deviation of each column's present values, NaN below two of them."""
    present = ~np.isnan(values)
    n = present.sum(axis=0)
    filled = np.where(present, values, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        squares = (np.where(present, values - filled.sum(axis=0) / n, 0.0) ** 2).sum(axis=0)
        return np.where((n > 1) & (squares > 0), np.sqrt(squares / (n - 1)), np.nan)


def _add_grank(sums: list[DaySums], residual: Floats, sigma: Floats, masks: NDArray[np.bool_], scars: Floats) -> None:
    """Ranks of the standardised residuals with the standardised CAR as one extra day."""
    with np.errstate(divide="ignore", invalid="ignore"):
        standard = residual / sigma[:, None]
    ranks = row_ranks(standard)
    count = (~np.isnan(standard)).sum(axis=1)
    for w, (mask, scar) in enumerate(zip(masks, scars, strict=True)):
        usable = mask & np.isfinite(scar)
        if not usable.any():
            sums[w].grank = np.zeros(residual.shape[1] + 1)
            sums[w].grank_present = np.zeros(residual.shape[1] + 1)
            continue
        own, extra, t = standard[usable], scar[usable, None], count[usable, None] + 1.0
        with np.errstate(invalid="ignore"):
            above, equal = own > extra, own == extra
        # The extra value pushes up the ranks of those above it, and half those of its ties.
        u = (ranks[usable] + above + 0.5 * equal) / (t + 1) - 0.5
        less = (t[:, 0] - 1) - above.sum(axis=1) - equal.sum(axis=1)
        zero = (less + 1 + 0.5 * equal.sum(axis=1)) / (t[:, 0] + 1) - 0.5
        present = ~np.isnan(u)
        sums[w].grank = np.append(np.where(present, u, 0.0).sum(axis=0), zero.sum())
        sums[w].grank_present = np.append(present.sum(axis=0), float(usable.sum()))
        sums[w].grank_variance = float(((t[:, 0] - 1) / (12 * (t[:, 0] + 1))).sum())
