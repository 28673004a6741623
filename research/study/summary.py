"""A summary of a study that prints well and shows well in Jupyter."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import stats

from research.study.inference import HEADLINE

if TYPE_CHECKING:
    from research.study.results import EventStudyResults, Windows

#: Level of the verdicts in words.
ALPHA = 0.05

#: Of the interval beside a mean.
COVERAGE = 0.95

#: The declared family of windows (METHODS 8): reaction, primary, surrounding, run-up.
FAMILY = ((0, 0), (0, 1), (-1, 1), (-10, -1))


@dataclass(frozen=True, repr=False)
class Summary:
    """Choices, ledger, mean CARs and tests of one study.

    Attributes
    ----------
    choices : Series
        Model, windows and policies in force.
    ledger : Series
        Input, used, and excluded events by reason.
    means : DataFrame
        Per window: mean CAR, standard error and 95% limits (cross-sectional, t(N - 1); of
        one event its own, t(M - k)), share positive, N.
    tests : DataFrame
        As :meth:`EventStudyResults.test` returns them.
    verdicts : list of str
        Per window the headline test in words, and which tests disagree with it.
    """

    choices: pd.Series
    ledger: pd.Series
    means: pd.DataFrame
    tests: pd.DataFrame
    verdicts: list[str]

    @classmethod
    def of(cls, results: EventStudyResults, windows: Windows | None = None) -> Summary:
        """Summarise ``results`` over ``windows``, by default those of the declared family that were fitted."""
        first, last = results.settings.window
        family = [window for window in FAMILY if first <= window[0] and window[1] <= last]
        chosen = family if windows is None else results.check_windows(windows)
        tests = results.test(chosen)
        means = _means(results, chosen)
        verdicts = [_verdict(row, tests[tests["window"].map(row.window.__eq__)]) for row in means.itertuples()]
        return cls(_choices(results), _ledger(results), means, tests, verdicts)

    @property
    def _tested(self) -> bool:
        """Whether any test has a statistic."""
        return bool(self.tests["statistic"].notna().any())

    def __repr__(self) -> str:
        blocks = [
            "Event study",
            "\n".join(f"{name:<20} {text}" for name, text in self.choices.items()),
            "Events",
            self.ledger.to_string(),
            "Mean cumulative abnormal return, % (standard errors assume independent events)",
            _percent(self.means).to_string(index=False),
            f"Headline test: {HEADLINE}",
            "\n".join(self.verdicts),
            "Tests",
            _brief(self.tests).to_string(index=False, max_colwidth=60) if self._tested else "none could be computed",
        ]
        return "\n\n".join(blocks)

    def _repr_html_(self) -> str:
        tables = [
            ("Choices", self.choices.to_frame("choice")),
            ("Events", self.ledger.to_frame()),
            ("Mean cumulative abnormal return, %", _percent(self.means)),
        ]
        if self._tested:
            tables.append(("Tests", _brief(self.tests)))
        verdicts = "".join(f"<li>{html.escape(text)}</li>" for text in self.verdicts)
        shown = "".join(f"<h4>{html.escape(title)}</h4>{table.to_html(na_rep='')}" for title, table in tables)
        return f"{shown}<h4>Headline test: {HEADLINE}</h4><ul>{verdicts}</ul>"


def _verdict(row: Any, tests: pd.DataFrame) -> str:
    """The headline test of one window in words, with what it could have found and who disagrees."""
    window = f"[{row.window[0]}, {row.window[1]}]"
    by_name = tests.set_index("test")
    head = by_name.loc[HEADLINE]
    if row.n_events == 1:
        own = f", its own t {row.mean_car / row.se:.2f} against ordinary days" if row.se > 0 else ""
        return f"{window}: one event, CAR {_interval(row)}{own}; tests across events need at least 2"
    if np.isnan(head["p_value"]):
        return f"{window}: no verdict, {head['note']}"
    rejects = head["p_value"] < ALPHA
    detectable = "" if rejects else f", with 80% power a mean of {280 * row.se:.2f}% would have been found"
    text = (
        f"{window}: mean CAR {_interval(row)}, "
        f"{'distinguishable' if rejects else 'not distinguishable'} "
        f"from zero (p {head['p_value']:.3f}{detectable})"
    )
    others = by_name.drop(index=HEADLINE)
    against = others.index[others["p_value"].notna() & ((others["p_value"] < ALPHA) != rejects)]
    if len(against):
        singular, plural = ("does not reject", "do not reject") if rejects else ("rejects", "reject")
        text += f"; the tests disagree: {', '.join(against)} {singular if len(against) == 1 else plural}"
    return text


def _interval(row: Any) -> str:
    """A mean and its interval in per cent."""
    return f"{100 * row.mean_car:+.2f}% ({COVERAGE:.0%} interval {100 * row.low:+.2f}% to {100 * row.high:+.2f}%)"


def _choices(results: EventStudyResults) -> pd.Series:
    settings = results.settings
    return pd.Series(
        {
            "model": f"{results.model.name}: {results.model.definition}",
            "market": results.market_name or "none",
            "event window": f"[{settings.window[0]}, {settings.window[1]}]",
            "estimation window": f"[{settings.estimation[0]}, {settings.estimation[1]}], "
            f"at least {settings.min_observations} usable days",
            "other announcements": settings.other_announcements,
            "unknown timing": settings.unknown_timing,
            "missing days": "complete: an event leaves a window in which a day is missing",
            "calendar": settings.calendar,
        }
    )


def _ledger(results: EventStudyResults) -> pd.Series:
    counts = {"input": len(results.ledger), "used": len(results)}
    counts |= {f"excluded: {reason}": int(n) for reason, n in results.exclusions.items()}
    return pd.Series(counts, name="events")


def _means(results: EventStudyResults, windows: list[tuple[int, int]]) -> pd.DataFrame:
    """Mean CAR per window with its cross-sectional standard error and limits; one event shows its own."""
    rows = []
    for window in windows:
        table = results.car(*window).dropna(subset=["car"])
        car, n = table["car"], len(table)
        se = table["se"].iloc[0] if n == 1 else (car.std(ddof=1) / np.sqrt(n) if n else np.nan)
        df = table["df"].iloc[0] if n == 1 else n - 1
        mean = car.mean() if n else np.nan
        half = stats.t.ppf(0.5 + COVERAGE / 2, df) * se if n else np.nan
        rows.append(
            {
                "window": window,
                "mean_car": mean,
                "se": se,
                "low": mean - half,
                "high": mean + half,
                "positive": (car > 0).mean() if n else np.nan,
                "n_events": n,
            }
        )
    return pd.DataFrame(rows, columns=["window", "mean_car", "se", "low", "high", "positive", "n_events"])


def _percent(means: pd.DataFrame) -> pd.DataFrame:
    shown = means.copy()
    for name in ("mean_car", "se", "low", "high", "positive"):
        shown[name] = (100 * shown[name]).round(3)
    return shown


def _brief(tests: pd.DataFrame) -> pd.DataFrame:
    shown = tests[["window", "test", "statistic", "df", "p_value", "n_events", "definition", "note"]].copy()
    shown["statistic"] = shown["statistic"].round(3)
    shown["p_value"] = shown["p_value"].round(4)
    return shown
