"""Drawing the returns and announcements of many replications, side by side in one study."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from research.analysis._designs import ALPHA, BETAS, EVENT_WINDOW, MARKET_MEAN, MARKET_SD, SIGMAS, Design
from research.events.announcements import Announcements
from research.events.calendar import TradingCalendar
from research.sources import sample
from research.study.alignment import CUT, known_days
from research.study.inputs import check_returns

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: First session of every simulated panel; its holidays and early closes are real.
_START = pd.Timestamp("2012-01-03")

#: Sessions in a calendar block of real residuals: a month, longer than any test window.
BLOCK = 21

#: Sessions between the two seasons of firms whose residuals are real; more where a season is long.
QUARTER = 63

#: Names of French's factors other than the market, drawn for models that need them.
_FACTORS = ("SMB", "HML", "RMW", "CMA", "Mom")


@dataclass(frozen=True)
class Draw:
    """One batch of replications, ready for :class:`research.EventStudy`.

    Attributes
    ----------
    returns : DataFrame, sessions x tickers
    market : Series
    factors : DataFrame
        French's names; the market factor is the market return over a riskless rate of zero, the other
        factors are noise without a premium, which no stock loads on.
    announcements : Announcements
        With the covariate ``replication``.
    """

    returns: pd.DataFrame
    market: pd.Series
    factors: pd.DataFrame
    announcements: Announcements


def draw(design: Design, n_replications: int, seed: int = 0, batch: int = 0) -> Draw:
    """Draw some replications of a design.

    Parameters
    ----------
    design : Design
    n_replications : int
    seed, batch : int
        The numbers depend on both and on nothing else. Designs drawn with one seed share their random
        numbers as far as their shapes allow, so that they can be compared.

    Returns
    -------
    Draw
        All replications share the sessions and the market; firms, betas, residuals, common factors and
        dates are each replication's own.
    """
    rng = np.random.default_rng(np.random.SeedSequence(entropy=seed, spawn_key=(batch,)))
    residuals = _SampleResiduals.of_sample() if design.innovations == "sample" else None
    lead, tail = max(-design.estimation[0], -EVENT_WINDOW[0]), EVENT_WINDOW[1]
    # Event windows of a firm's two announcements never overlap.
    apart = max(QUARTER, design.spread + EVENT_WINDOW[1] - EVENT_WINDOW[0] + 1) if residuals is not None else 0
    length = lead + apart + design.spread + tail
    market = MARKET_MEAN + MARKET_SD * rng.standard_normal(length)
    if residuals is None:
        firm, day = _one_event_a_firm(design, n_replications, lead, rng)
        noise = _synthetic(design, n_replications, length, rng)
        tickers = [f"E{i:03d}" for i in range(design.n_events)]
        beta = rng.uniform(*BETAS, size=(n_replications, design.n_events, 1))
    else:
        firm, day = _two_events_a_firm(design, n_replications, residuals.n_firms, lead, apart, rng)
        noise = residuals.blocks(n_replications, length, rng)
        tickers = list(residuals.tickers)
        beta = np.broadcast_to(residuals.beta[None, :, None], (n_replications, residuals.n_firms, 1))
    _multiply(noise, firm, day, design)
    values = ALPHA + beta * market + noise
    values[np.arange(n_replications)[:, None], firm, day] += design.effect
    if design.missing:
        values[rng.random(values.shape) < design.missing] = np.nan
    np.maximum(values, -0.99, out=values)  # nobody loses more than everything
    return _assembled(design, values, market, tickers, firm, day, rng)


def _one_event_a_firm(design: Design, n: int, lead: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
    firm = np.broadcast_to(np.arange(design.n_events), (n, design.n_events))
    return firm, lead + rng.integers(0, design.spread, size=firm.shape)


def _two_events_a_firm(
    design: Design, n: int, n_firms: int, lead: int, apart: int, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    """Two seasons; firms are drawn anew where fewer events are wanted than there are."""
    slots = np.argsort(rng.random((n, 2 * n_firms)), axis=1)[:, : design.n_events]
    day = lead + rng.integers(0, design.spread, size=slots.shape)
    return slots % n_firms, day + apart * (slots // n_firms)


def _synthetic(design: Design, n: int, length: int, rng: np.random.Generator) -> Floats:
    """Residuals of shape (n, n_events, length)."""
    shape = (n, design.n_events, length)
    if design.innovations == "normal":
        z = rng.standard_normal(shape)
    elif design.innovations == "t4":
        z = rng.standard_t(4, shape) / np.sqrt(2)  # the variance of t(4) is 2
    else:
        z = (rng.chisquare(3, shape) - 3) / np.sqrt(6)
    if design.correlation:
        common = rng.standard_normal((n, 1, length))
        z *= np.sqrt(1 - design.correlation)
        z += np.sqrt(design.correlation) * common
    z *= rng.uniform(*SIGMAS, size=(n, design.n_events, 1))
    return z


def _multiply(noise: Floats, firm: Ints, day: Ints, design: Design) -> None:
    """Event-induced variance, in place."""
    if design.variance == 1:
        return
    first, last = design.variance_days
    days = day[:, :, None] + np.arange(first, last + 1)
    rows = np.arange(len(noise))[:, None, None]
    # Days that two windows of a firm share are multiplied once: assignment, not accumulation.
    noise[rows, firm[:, :, None], days] = np.sqrt(design.variance) * noise[rows, firm[:, :, None], days]


def _assembled(
    design: Design,
    values: Floats,
    market: Floats,
    tickers: list[str],
    firm: Ints,
    day: Ints,
    rng: np.random.Generator,
) -> Draw:
    """Frames on the sessions of the exchange, replications side by side."""
    calendar = TradingCalendar("XNYS")
    first = int(calendar.sessions.searchsorted(_START))
    n, n_firms, length = values.shape
    sessions = calendar.sessions[first : first + length]
    names = np.array([f"R{r:04d}.{ticker}" for r in range(n) for ticker in tickers], dtype=object)
    returns = pd.DataFrame(values.reshape(n * n_firms, length).T, index=sessions, columns=names, copy=False)
    series = pd.Series(market, index=sessions, name="MARKET")
    premia = pd.DataFrame(0.005 * rng.standard_normal((length, len(_FACTORS))), index=sessions, columns=list(_FACTORS))
    factors = premia.assign(**{"Mkt-RF": market, "RF": 0.0})
    position = first + day.ravel()
    late = rng.random(position.shape) < design.after_close
    # The instants are exact: an hour and a half before the open, or five minutes after the close before.
    before = calendar.opens[position] - pd.Timedelta(minutes=90)
    after = calendar.closes[position - 1] + pd.Timedelta(minutes=5)
    table = pd.DataFrame(
        {
            "ticker": names[(firm + n_firms * np.arange(n)[:, None]).ravel()],
            "announced_at": before.where(~late, after),
            "replication": np.repeat(np.arange(n), firm.shape[1]),
        }
    )
    announcements = Announcements.from_frame(table)
    if design.hours != "known":
        announcements = dates_only(announcements, ignored=design.hours == "ignored")
    return Draw(returns, series, factors, announcements)


def dates_only(announcements: Announcements, *, ignored: bool) -> Announcements:
    """The same announcements with their exchange-local dates and without their hours.

    Parameters
    ----------
    ignored : bool
        Whether the date is taken for the session of the reaction (the flag ``bmo`` on every row), as tables
        without hours are commonly used; otherwise the timing is unknown. Covariates stay.
    """
    frame = announcements.frame
    covariates = frame[["event_id", *announcements.covariates]]
    table = covariates.assign(
        ticker=frame["ticker"],
        kind=frame["kind"],
        announced_at=frame["announced_on"].dt.strftime("%Y-%m-%d"),
        session="bmo" if ignored else None,
    )
    return Announcements.from_frame(table)


@dataclass(frozen=True)
class _SampleResiduals:
    """Market-model residuals of the sample's companies over all their history.

    Attributes
    ----------
    values : ndarray of shape (n_firms, n_sessions)
        NaN on days -1 to +1 of the company's own announcements and where a return is missing.
    beta : ndarray of shape (n_firms,)
    """

    tickers: tuple[str, ...]
    values: Floats
    beta: Floats

    @property
    def n_firms(self) -> int:
        return len(self.tickers)

    @staticmethod
    @cache
    def of_sample() -> _SampleResiduals:
        calendar = TradingCalendar("XNYS")
        returns = check_returns(sample.prices().returns(), calendar)
        market = sample.market_returns().reindex(returns.index).to_numpy()
        values = returns.to_numpy().T.copy()
        firm, day = known_days(sample.announcements(), "earnings", returns.index, returns.columns, calendar)
        for offset in CUT:
            inside = (day + offset >= 0) & (day + offset < len(market))
            values[firm[inside], day[inside] + offset] = np.nan
        values[:, np.isnan(market)] = np.nan
        present = ~np.isnan(values)
        count = present.sum(axis=1)
        mean = np.nansum(values, axis=1) / count
        centred = np.where(present, np.nan_to_num(market) - (present @ np.nan_to_num(market) / count)[:, None], 0.0)
        beta = (centred * np.nan_to_num(values)).sum(axis=1) / (centred**2).sum(axis=1)
        residuals = values - mean[:, None] - beta[:, None] * np.where(present, centred, np.nan)
        return _SampleResiduals(tuple(str(name) for name in returns.columns), residuals, beta)

    def blocks(self, n: int, length: int, rng: np.random.Generator) -> Floats:
        """Circular calendar blocks, the same for all firms of a replication; shape (n, n_firms, length)."""
        total = self.values.shape[1]
        starts = rng.integers(0, total, size=(n, -(-length // BLOCK)))
        days = (starts[:, :, None] + np.arange(BLOCK)).reshape(n, -1)[:, :length] % total
        return np.ascontiguousarray(self.values[:, days].transpose(1, 0, 2))
