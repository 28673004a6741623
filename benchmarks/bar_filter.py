"""Synthetic evenings with a known truth: what the bar filter marks, and what it does to the legs.

Run ``python benchmarks/bar_filter.py``: it prints the table and writes it to ``bar_filter.csv`` beside itself.
``evening`` and ``score`` are used by the tests as well.

Each evening has a drift, a burst of noise after the release that decays over a quarter of an
hour, jumps at release and call, an overnight gap, minutes without a trade, and planted bad prints of every kind
that the filter knows. The truth is the path of prices before any bad print was planted. Bad prints are not
planted on the first and last bars before a pause, which have one neighbour only (the filter's known limit),
nor on top of the release; one scenario puts one on the very bar that a leg ends with.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

import research as es
from research.analysis.bar_filter import mark_bars
from research.analysis.reaction import LEGS, reaction

DAY, NEXT = pd.Timestamp("2024-05-14"), pd.Timestamp("2024-05-15")
ZONE = "America/New_York"
KINDS = ("late-close-print", "stale-open", "spike", "spike-wick", "zero-volume")

#: Planted prints stand at least this many of the calm noise's standard deviations off, and at most three times it.
FAR = 25.0

#: name, arguments of ``evening``
SCENARIOS = {
    "1 min": {},
    "2 min": {"step": 2},
    "5 min": {"step": 5, "n_each": 1},
    "15 min": {"step": 15, "n_each": 1},
    "1 min, Student 3, thin": {"tails": 3.0, "gaps": 0.5},
    "1 min, noisy": {"calm": 1.5e-3},
    "1 min, prints of 10 to 30 sd": {"far": 10.0},
    "1 min, a spike before the call": {"at_call": True},
}


@dataclass(frozen=True)
class Evening:
    """One synthetic evening.

    Attributes
    ----------
    bars : Bars
        With the bad prints planted.
    planted : DataFrame
        ``at, field, kind`` of every planted cell.
    legs : dict
        True log legs.
    event, returns, prices : inputs of ``reaction``
    """

    bars: es.Bars
    planted: pd.DataFrame
    legs: dict[str, float]
    event: pd.Series
    returns: pd.DataFrame
    prices: es.Prices


def evening(
    seed: int,
    *,
    step: int = 1,
    n_each: int = 3,
    gaps: float = 0.15,
    calm: float = 4e-4,
    tails: float = 4.0,
    far: float = FAR,
    at_call: bool = False,
) -> Evening:
    """Draw an evening.

    Parameters
    ----------
    seed : int
    step : int
        Minutes a bar.
    n_each : int
        Planted prints of each kind.
    gaps : float
        Share of extended-hours bars without a trade.
    calm : float
        Standard deviation of a one-minute log move away from the news.
    tails : float
        Degrees of freedom of the moves.
    far : float
        Smallest distance of a planted print, in standard deviations of the calm noise.
    at_call : bool
        Plant a spike on the bar that ends when the call begins as well.
    """
    rng = np.random.default_rng(seed)
    starts = _starts(step)
    release, call = _instant(DAY, "16:05"), _instant(DAY, "17:00")
    levels, legs, close, opened = _path(rng, starts, release, call, calm * np.sqrt(step), tails, step)
    frame = _bars(rng, starts, levels, calm * np.sqrt(step))
    extended = np.flatnonzero(_extended(starts))
    boundaries = {
        int((starts + pd.Timedelta(minutes=step)).searchsorted(at, side="right")) - 1
        for at in (release, call, _instant(DAY, "20:00"), _instant(NEXT, "09:30"))
    }
    planted = _plant(rng, frame, extended, boundaries, close, calm * np.sqrt(step), n_each, far)
    if at_call:
        i = int((starts + pd.Timedelta(minutes=step)).searchsorted(call, side="right")) - 1
        cells = _write(rng, frame, i, "spike", close, calm * np.sqrt(step), far)
        extra = pd.DataFrame([(frame.index[i], field, "spike") for field in cells], columns=planted.columns)
        planted = pd.concat([planted, extra], ignore_index=True)
    kept = np.ones(len(frame), dtype=bool)
    free = np.setdiff1d(
        extended, [*boundaries, *(frame.index.get_loc(at) + j for at in planted["at"] for j in (-1, 0, 1))]
    )
    kept[rng.choice(free, int(gaps * len(free)), replace=False)] = False
    bars = es.Bars.from_frame(frame[kept].rename_axis("ts").reset_index(), step=f"{step}min")
    last = opened * np.exp(legs["session"])
    rows = [(DAY, close, close), (NEXT, opened, last)]
    table = pd.DataFrame(rows, columns=["date", "open", "close"]).assign(ticker="SYN")
    prices = es.Prices.from_frame(table)
    announced = pd.DataFrame({"ticker": ["SYN"], "announced_at": [release.isoformat()], "call_at": [call.isoformat()]})
    event = es.Announcements.from_frame(announced).frame.iloc[0]
    return Evening(bars, planted, legs, event, prices.returns(), prices)


def _instant(day: pd.Timestamp, clock: str) -> pd.Timestamp:
    return pd.Timestamp(f"{day:%Y-%m-%d} {clock}", tz=ZONE).tz_convert("UTC")


def _starts(step: int) -> pd.DatetimeIndex:
    spans = [(DAY, "15:30", "20:00"), (NEXT, "04:00", "10:00")]
    parts = [
        pd.date_range(_instant(day, first), _instant(day, last), freq=f"{step}min", inclusive="left")
        for day, first, last in spans
    ]
    return parts[0].append(parts[1]).as_unit("ns")


def _extended(starts: pd.DatetimeIndex) -> np.ndarray:
    local = starts.tz_convert(ZONE)
    minutes = local.hour * 60 + local.minute
    return np.asarray((minutes >= 960) | (minutes < 570))


def _path(rng, starts, release, call, calm, tails, step):
    """Log level at the end of every bar, and the true legs."""
    ends = starts + pd.Timedelta(minutes=step)
    scale = np.full(len(starts), calm)
    since = (ends - release) / pd.Timedelta(minutes=1)
    burst = np.asarray((since > 0) & (since <= 20))
    scale = np.where(burst, scale * (1 + 9 * np.exp(-np.clip(since, 0, None) / 6)), scale)
    moves = rng.standard_t(tails, len(starts)) * np.sqrt((tails - 2) / tails) * scale
    moves[int(ends.searchsorted(release, side="right"))] += rng.choice([-1, 1]) * rng.uniform(0.02, 0.06)
    moves[int(ends.searchsorted(call, side="right"))] += rng.normal(0, 0.006)
    moves[int(starts.searchsorted(_instant(NEXT, "04:00")))] += rng.normal(0, 0.01)
    levels = np.log(500) + np.cumsum(moves)
    at = {
        name: float(levels[int(ends.searchsorted(instant, side="right")) - 1])
        for name, instant in {
            "close": _instant(DAY, "16:00"),
            "release": release,
            "call": call,
            "evening": _instant(DAY, "20:00"),
            "open": _instant(NEXT, "09:30"),
        }.items()
    }
    session = float(rng.normal(0, 0.01))
    legs = {
        "pre_release": at["release"] - at["close"],
        "release": at["call"] - at["release"],
        "call": at["evening"] - at["call"],
        "pre_market": at["open"] - at["evening"],
        "session": session,
    }
    return levels, legs, float(np.exp(at["close"])), float(np.exp(at["open"]))


def _bars(rng, starts, levels, calm):
    close = np.exp(levels)
    opened = np.concatenate([[close[0]], close[:-1]]) * np.exp(rng.normal(0, calm / 4, len(close)))
    wick = np.abs(rng.normal(0, calm / 2, (2, len(close))))
    frame = pd.DataFrame(
        {
            "open": opened,
            "high": np.maximum(opened, close) * np.exp(wick[0]),
            "low": np.minimum(opened, close) * np.exp(-wick[1]),
            "close": close,
            "volume": rng.integers(100, 5000, len(close)).astype(float),
        },
        index=starts,
    )
    first = int(starts.searchsorted(_instant(NEXT, "04:00")))
    frame.iloc[first, :3] = frame.iloc[first, 3]  # no bar opens where the evening ended
    return frame


def _plant(rng, frame, extended, boundaries, close, calm, n_each, far) -> pd.DataFrame:
    """Write bad prints into the bars, away from each other, pauses and the burst after the release."""
    calm_bars = [i for i in extended if extended[0] + 30 < i < extended[-1] - 3]
    pause = [i for i in calm_bars if i + 1 not in set(extended) or i - 1 not in set(extended)]
    jumps = [i for i in calm_bars if frame["close"].iloc[i] / frame["close"].iloc[i - 1] > 1 + far * calm / 2]
    taken: set[int] = set()
    for i in [*pause, *jumps, *boundaries]:
        taken |= set(range(i - 4, i + 5))
    rows: list[tuple[pd.Timestamp, str, str]] = []
    for kind in KINDS:
        for _ in range(n_each):
            free = [i for i in calm_bars if i not in taken]
            if kind == "late-close-print":
                free = [i for i in free if abs(np.log(close / frame["close"].iloc[i])) > far * calm / 4]
            if not free:
                continue
            i = int(rng.choice(free))
            taken |= set(range(i - 4, i + 5))
            rows += [(frame.index[i], field, kind) for field in _write(rng, frame, i, kind, close, calm, far)]
    return pd.DataFrame(rows, columns=["at", "field", "kind"])


def _write(rng, frame, i: int, kind: str, close: float, calm: float, far: float) -> list[str]:
    """One bad print; the cells that are wrong."""
    up = bool(rng.integers(0, 2))
    off = float(np.exp((1 if up else -1) * calm * rng.uniform(far, 3 * far)))
    at, body = frame.index[i], frame["close"].iloc[i]
    wick = "high" if up else "low"
    if kind == "zero-volume":
        frame.loc[at, ["open", "high", "low", "close"]] = frame["close"].iloc[i - 1]
        frame.loc[at, "volume"] = 0.0
        return ["open", "high", "low", "close"]
    if kind == "late-close-print":
        side = "high" if close > body else "low"
        frame.loc[at, side] = close
        return [side]
    if kind == "stale-open":
        frame.loc[at, ["open", wick]] = frame["close"].iloc[i - 1] * off
        return ["open", wick]
    if kind == "spike":
        frame.loc[at, ["close", wick]] = body * off
        return ["close", wick]
    frame.loc[at, wick] = body * off
    return [wick]


def score(one: Evening) -> dict[str, float]:
    """Shares of planted and of good cells that are marked, and the largest error of a leg."""
    calendar = es.TradingCalendar("XNYS")
    marks = mark_bars(one.bars, calendar, one.prices.field("close")["SYN"].to_dict())
    marked = set(zip(marks["at"], marks["field"], strict=True))
    bad = set(zip(one.planted["at"], one.planted["field"], strict=True))
    frame = one.bars.frame
    cells = {(at, name) for at in frame.index[_extended(frame.index)] for name in ("open", "high", "low", "close")}
    errors = {}
    for name, switch in (("largest leg error", True), ("largest leg error, raw", False)):
        shown = reaction(one.event, "amc", NEXT, one.returns, calendar, one.prices, one.bars, bar_filter=switch)
        errors[name] = max(abs(shown.log[leg] - one.legs[leg]) for leg in LEGS)
    by_kind = {
        kind: float(np.mean([(at, name) in marked for at, name in zip(part["at"], part["field"], strict=True)]))
        for kind, part in one.planted.groupby("kind")
    }
    return {
        "caught": len(bad & marked) / len(bad) if bad else float("nan"),
        "wrongly marked": len(marked - bad) / len(cells - bad),
        **errors,
        **by_kind,
    }


def main(evenings: int = 30) -> None:
    rows = {}
    for name, choices in SCENARIOS.items():
        scores = pd.DataFrame([score(evening(seed, **choices)) for seed in range(evenings)])
        row = scores.mean()
        row["wrongly marked, worst evening"] = scores["wrongly marked"].max()
        for error in ("largest leg error", "largest leg error, raw"):
            row[error] = scores[error].max()
        rows[name] = row
    table = pd.DataFrame(rows).T.round(6).rename_axis("scenario")
    table.to_csv(Path(__file__).with_suffix(".csv"))
    print(f"{evenings} evenings a scenario; shares of cells, largest leg error in log units")
    print(table.T.to_string())


if __name__ == "__main__":
    main()
