"""One announcement with everything its report shares, and its numbers for machines."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from research.analysis.reaction import Reaction
from research.errors import ParameterError
from research.events.announcements import Announcements
from research.events.calendar import TradingCalendar
from research.events.surprises import percentage_surprise, surprise_class
from research.study.results import EventStudyResults


@dataclass(frozen=True, eq=False)
class Case:
    """One announcement with everything the sections of its report share.

    Attributes
    ----------
    event : Series
        Its row of ``Announcements.frame``.
    announcements : Announcements
        Everything the source knows.
    results : EventStudyResults
        Study of all announcements of the source; the event must be among the used ones.
    kept : EventStudyResults
        The same study of the event's firm with the other announcements left in.
    reaction : Reaction
    calendar : TradingCalendar
    reading : str
        How the hour of the news is read where it is not known; empty where it is.
    stricter : EventStudyResults, optional
        For news other than earnings, the study of the event with the firm's earnings days cut as well.
    """

    event: pd.Series
    announcements: Announcements
    results: EventStudyResults
    kept: EventStudyResults
    reaction: Reaction
    calendar: TradingCalendar
    reading: str = ""
    stricter: EventStudyResults | None = None

    def __post_init__(self) -> None:
        first, last = self.results.settings.window
        if not first <= 0 <= last:
            raise ParameterError(
                "the report is about day zero, which this event window leaves out",
                parameter="window",
                value=f"{first},{last}",
                allowed="first day <= 0 <= last day",
            )

    @property
    def ticker(self) -> str:
        """Ticker of the announcer."""
        return str(self.event["ticker"])

    @cached_property
    def position(self) -> int:
        """Position among the used events."""
        return self.results.locate(str(self.event["event_id"]))

    @cached_property
    def path(self) -> pd.DataFrame:
        """Abnormal returns and CAR of the event window."""
        return self.results.path(self.position)

    @cached_property
    def day(self) -> pd.Series:
        """Day zero: return, abnormal return, interval, tests against both yardsticks."""
        zero = self.path.loc[0]
        yard = self.results.yardsticks(0).iloc[self.position]
        return pd.concat([zero[["session", "return", "ar", "ar_se", "ar_low", "ar_high"]], yard.drop(["ar", "se"])])

    @cached_property
    def row(self) -> pd.Series:
        """The event's row with timing and day zero."""
        return self.results.events.iloc[self.position]

    @property
    def timing(self) -> str:
        """When the news came; ``unknown`` where a reading was needed to place it."""
        return "unknown" if self.reading else str(self.row["timing"])

    @property
    def day_zero(self) -> pd.Timestamp:
        """Session that could first react."""
        return pd.Timestamp(self.row["day_zero"])

    @property
    def market_return(self) -> float:
        """Market return on day zero; NaN without a market."""
        return self.results.market_return(self.day_zero)

    @cached_property
    def surprises(self) -> pd.Series:
        """Percentage surprise of every used event of the firm, by event id; NaN without an estimate."""
        own = self._own
        if not {"eps_actual", "eps_estimate"} <= set(own.columns):
            return pd.Series(float("nan"), index=own["event_id"])
        return percentage_surprise(own.set_index("event_id"))

    @cached_property
    def _own(self) -> pd.DataFrame:
        events = self.results.events.reset_index(drop=True)
        return events[(events["ticker"] == self.ticker) & (events["kind"] == self.event["kind"])]

    @cached_property
    def own_days(self) -> pd.DataFrame:
        """Day-zero abnormal returns of the firm's used announcements with surprise and class."""
        ar = pd.Series(self.results.yardsticks(0)["ar"].to_numpy())
        table_ = pd.DataFrame(
            {
                "event_id": self._own["event_id"].to_numpy(),
                "day_zero": self._own["day_zero"].to_numpy(),
                "fiscal_period": self._own["fiscal_period"].to_numpy() if "fiscal_period" in self._own else "",
                "ar": ar[self._own.index].to_numpy(),
            }
        )
        table_["surprise_pct"] = self.surprises.reindex(table_["event_id"]).to_numpy()
        table_["surprise"] = surprise_class(table_["surprise_pct"]).to_numpy()
        return table_.sort_values("day_zero", ignore_index=True)

    @cached_property
    def earlier(self) -> pd.DataFrame:
        """The firm's earlier days of the same kind."""
        return self.own_days[self.own_days["day_zero"] < self.day_zero].dropna(subset=["ar"])

    @cached_property
    def this(self) -> pd.Series:
        """The row of the event itself in :attr:`own_days`."""
        return self.own_days[self.own_days["event_id"] == self.event["event_id"]].iloc[0]

    @property
    def zone(self) -> Any:
        """The exchange's time zone."""
        return self.calendar.timezone

    @cached_property
    def metrics(self) -> pd.DataFrame | None:
        """Rows of the metrics table that belong to this announcement; None without any."""
        metrics = self.announcements.metrics
        if metrics is None:
            return None
        own = metrics[(metrics["ticker"] == self.ticker) & (metrics["announced_at"] == self.event["announced_at"])]
        return own if len(own) else None


def payload(case: Case, *others: Case, windows: list[tuple[int, int]] | None = None) -> dict[str, Any]:
    """The numbers of the report, machine-readable, as ``results.json`` holds them.

    Parameters
    ----------
    case : Case
    *others : Case
        Further readings of an event of unknown hour. Then only windows that hold every
        plausible day zero are given, day zero has no test, and ``plausible`` has each reading.
    windows : list of (int, int), optional
        Instead of the declared family.
    """
    i, results = case.position, case.results
    window = results.diagnostics.iloc[i]
    one = results.parameters.iloc[i]
    first, last = results.settings.window
    family = windows or [
        w for w in ((0, 0), (0, 1), (-1, 1), (-10, -1), (first, last)) if first <= w[0] and w[1] <= last
    ]
    if others:
        family = [w for w in family if w[0] <= 0 and w[1] >= len(others)]
    ledger = results.ledger
    n = int(case.day["n_own"])
    event = case.event
    found: dict[str, Any] = {
        "event": {
            "event_id": event["event_id"],
            "ticker": case.ticker,
            "kind": event["kind"],
            "announced_at": event["announced_at"]
            if pd.notna(event["announced_at"])
            else f"{event['announced_on']:%Y-%m-%d}",
            "timing": case.timing,
            "day_zero": f"{case.day_zero:%Y-%m-%d}",
        },
        "model": results.model.name,
        "market": results.market_name,
        "day_zero": {
            "return": case.day["return"],
            "market_return": case.market_return,
            "abnormal_return": case.day["ar"],
            "se": case.day["ar_se"],
            "t": case.day["t"],
            "p_value": case.day["p_value"],
        },
        "estimation": {
            "start": f"{window['estimation_start']:%Y-%m-%d}",
            "end": f"{window['estimation_end']:%Y-%m-%d}",
            "n_observations": window["n_observations"],
            "n_cut": window["n_cut"],
            "other_announcements": results.settings.other_announcements,
        },
        "parameters": {
            name: one.get(name) for name in dict.fromkeys(["alpha", "beta", *results.model.slope_names, "sigma"])
        },
        "windows": [
            {"start": w[0], "end": w[1], **results.car(*w).iloc[i][["car", "se", "t", "p_value"]].to_dict()}
            for w in family
        ],
        "earnings_day": {
            "z": case.day["z_own"],
            "rank": int(case.day["rank_own"]) if n and pd.notna(case.day["rank_own"]) else None,
            "n": n,
            "rank_by": "absolute size, 1 = largest, among the n earlier days and this one",
        },
        "reaction": as_numbers(case.reaction),
        "ledger": {
            "input": len(ledger),
            "used": int((ledger["status"] == "used").sum()),
            "excluded": {str(reason): int(k) for reason, k in results.exclusions.items()},
        },
    }
    if others:
        found["plausible"] = [
            {
                "reading": one.reading,
                "day_zero": f"{one.day_zero:%Y-%m-%d}",
                "return": one.day["return"],
                "market_return": one.market_return,
                "abnormal_return": one.day["ar"],
                "se": one.day["ar_se"],
                "t": one.day["t"],
                "p_value": one.day["p_value"],
            }
            for one in (case, *others)
        ]
        found["verdict"] = "agree" if same_verdict(case, *others) else "withheld"
        found["day_zero"] |= dict.fromkeys(("t", "p_value"))
        found["earnings_day"] |= dict.fromkeys(("z", "rank"))
    return found


def same_verdict(*cases: Case, alpha: float = 0.05) -> bool:
    """Whether every reading of the hour leads to the same verdict on day zero.

    That is: the abnormal returns point the same way, and the test rejects on all of them or on none.
    """
    return len({(bool(one.day["ar"] > 0), bool(one.day["p_value"] < alpha)) for one in cases}) == 1


def as_numbers(found: Reaction) -> dict[str, Any]:
    """A reaction for ``results.json``."""
    market = None
    if found.market is not None:
        market = {
            "name": found.market.name,
            "multiple": found.market.multiple,
            "legs": found.market.legs.to_dict("records"),
        }
    return {
        "simple": found.simple,
        "log": found.log,
        "segments": found.segments.to_dict("records"),
        "anatomy": found.anatomy,
        "market": market,
        "release_basis": found.release_basis or None,
        "bar_filter": "on" if found.filtered else "off",
        "marks": found.marks[["at", "field", "finding", "value"]].to_dict("records") if len(found.marks) else [],
        "changes": list(found.changes),
        "notes": list(found.notes),
    }
