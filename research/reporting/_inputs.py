"""The data behind one announcement's report: whether its window is complete, and what to compare later.

The runner takes these facts from the source once more after the notebook has run, so that
a notebook need not know about them. They become ``inputs.json`` beside ``results.json``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

import pandas as pd

from research.errors import NotFoundError, SourceError
from research.reporting._completion import plain

#: Columns of an announcement that a vendor may rewrite, and that a reader would want to know of.
_FIGURES = ("announced_at", "announced_on", "eps_actual", "eps_estimate", "revenue_actual", "revenue_estimate")


def collect(results: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any] | None:
    """What stands behind the results of an announcement's notebook.

    Parameters
    ----------
    results : mapping
        Contents of ``results.json``.
    parameters : mapping
        The notebook's parameters, ``source`` as the caller named it.

    Returns
    -------
    dict or None
        ``status`` (``final``, or ``preliminary`` while the event window reaches beyond the
        data), ``window_ends`` and ``data_end``, ``announcement`` (what an index shows),
        ``announcements`` (the firm's own, with their figures), ``counts`` (announcements of
        every ticker) and ``returns`` (of the firm and of the market, over estimation and
        event window). None for results that are not about one announcement.
    """
    event, source = results.get("event"), parameters.get("source")
    if not isinstance(event, Mapping) or not {"ticker", "day_zero"} <= set(event) or not isinstance(source, str):
        return None
    from research.sources.protocol import open_source

    data = open_source(source)
    try:
        announcements = data.news()
        date = str(parameters.get("event_date") or event["day_zero"])
        row = announcements.find(str(event["ticker"]), date, kind=event.get("kind"))
    except (NotFoundError, SourceError):
        return None
    returns = data.returns()
    # News of unknown hour have several readings; the window of the last must be complete.
    days = [str(one["day_zero"]) for one in (event, *(results.get("plausible") or ()))]
    ends = _window_end(row, max(days), parameters.get("window"))
    data_end = returns.index[-1]
    frame = announcements.frame
    start = (results.get("estimation") or {}).get("start") or event["day_zero"]
    series = {row["ticker"]: returns[row["ticker"]]} if row["ticker"] in returns else {}
    if results.get("market"):
        with contextlib.suppress(NotFoundError, SourceError):
            series[str(results["market"])] = data.market_returns(str(results["market"]))
    return plain(
        {
            "status": "preliminary" if ends > data_end else "final",
            "window_ends": f"{ends:%Y-%m-%d}",
            "data_end": f"{data_end:%Y-%m-%d}",
            "announcement": _shown(row, frame),
            "announcements": _own(frame[frame["ticker"] == row["ticker"]]),
            "counts": frame["ticker"].value_counts().sort_index().to_dict(),
            "returns": {name: _by_day(one.loc[start:ends]) for name, one in series.items()},
        }
    )


def _window_end(row: pd.Series, day_zero: str, window: Any) -> pd.Timestamp:
    """Last session of the event window, by the exchange's calendar."""
    from research.events.calendar import TradingCalendar

    calendar = TradingCalendar(str(row["exchange"]))
    last = int(str(window).split(",")[1]) if window else 0
    position = int(calendar.position(pd.DatetimeIndex([day_zero]))[0]) + max(last, 0)
    return pd.Timestamp(calendar.sessions[min(position, len(calendar.sessions) - 1)])


def _shown(row: pd.Series, frame: pd.DataFrame) -> dict[str, Any]:
    """What an index says about the announcement besides its results."""
    from research.events.surprises import percentage_surprise, surprise_class

    facts: dict[str, Any] = {
        "ticker": row["ticker"],
        "kind": row["kind"],
        "announced_on": f"{row['announced_on']:%Y-%m-%d}",
        "fiscal_period": row.get("fiscal_period"),
    }
    if {"eps_actual", "eps_estimate"} <= set(frame.columns):
        surprise = percentage_surprise(frame[frame["event_id"] == row["event_id"]])
        facts["surprise"] = float(surprise.iloc[0])
        facts["class"] = str(surprise_class(surprise).iloc[0])
    return facts


def _own(frame: pd.DataFrame) -> dict[str, dict[str, Any]]:
    columns = [name for name in _FIGURES if name in frame.columns]
    records = frame[columns].astype(object).to_dict("records")
    return dict(zip(frame["event_id"], records, strict=True))


def _by_day(series: pd.Series) -> dict[str, float]:
    """Values by date; twelve significant digits, beyond which no vendor rewrites anything."""
    return {f"{day:%Y-%m-%d}": float(f"{value:.12g}") for day, value in series.dropna().items()}
