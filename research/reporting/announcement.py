"""What the report on one announcement says: sentences and tables made from the numbers.

The notebook runs the study with the public functions of the package and hands the
results to a :class:`Case`; nothing here estimates anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd
from scipy import stats

from research.analysis.reaction import Reaction
from research.events.announcements import Announcements
from research.events.calendar import TradingCalendar
from research.events.surprises import percentage_surprise, surprise_class
from research.reporting import words
from research.reporting.tables import Column, Fragment, bullets, cards, facts, heading, numbered, paragraph, table
from research.study.results import MIN_EARLIER_DAYS, EventStudyResults

#: Sentence with which a report declines to say more than it knows.
NO_CAUSE = "The legs say when the price moved. They do not say why."

def _pct(title: str, digits: int = 2) -> Column:
    return Column(f"{title}, %", lambda value: words.number(100 * value, digits, signed=True) if pd.notna(value) else "–")


def _size(title: str, digits: int = 2) -> Column:
    """A share of one without a sign, in per cent."""
    return Column(f"{title}, %", lambda value: words.number(100 * value, digits) if pd.notna(value) else "–")


def _num(title: str, digits: int = 2) -> Column:
    return Column(title, lambda value: words.number(value, digits))


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
    """

    event: pd.Series
    announcements: Announcements
    results: EventStudyResults
    kept: EventStudyResults
    reaction: Reaction
    calendar: TradingCalendar

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
        """This event's row of :attr:`own_days`."""
        return self.own_days[self.own_days["event_id"] == self.event["event_id"]].iloc[0]

    @property
    def zone(self) -> Any:
        """The exchange's time zone."""
        return self.calendar.timezone


def title(case: Case) -> Fragment:
    """The report's heading: who, what and the move on day zero."""
    period = f" {case.event['fiscal_period']}" if pd.notna(case.event.get("fiscal_period")) else ""
    move = words.percent(case.day["return"])
    return heading(f"{case.ticker}{period}, announced {case.event['announced_on']:%Y-%m-%d}: {move} on day zero")


# -- sentences --------------------------------------------------------------------------


def headline(case: Case) -> Fragment:
    """The first paragraphs: what happened; then against which yardstick, and how sure one can be."""
    happened = " ".join(filter(None, [_what_came(case), _other_metrics(case), _guidance(case), _what_followed(case)]))
    return paragraph(happened, "verdict") + paragraph(f"{_own_yardstick(case)} {_ordinary(case)}")


def _when(case: Case) -> str:
    event = case.event
    if pd.notna(event["announced_at"]) and event["precision"] in ("second", "minute"):
        local = event["announced_at"].tz_convert(case.zone)
        return f"on {words.date(local.tz_localize(None).normalize())} at {local:%H:%M} {local:%Z}"
    return f"on {words.date(event['announced_on'])}"


def _what_came(case: Case) -> str:
    event = case.event
    period = f"its results for {event['fiscal_period']}" if pd.notna(event.get("fiscal_period")) else "its results"
    what = period if event["kind"] == "earnings" else f"news ({event['kind']})"
    text = f"{case.ticker} announced {what} {_when(case)}, {words.TIMINGS[case.row['timing']]}"
    actual, estimate = event.get("eps_actual"), event.get("eps_estimate")
    if pd.notna(actual) and pd.notna(estimate):
        surprise = case.this["surprise_pct"]
        named = {"beat": "a beat", "miss": "a miss", "in line": "in line"}[case.this["surprise"]]
        text += (
            f": earnings per share of {words.number(actual)} against {words.number(estimate)} expected, "
            f"{named} ({words.percent(surprise, 1)})"
        )
    return text + "."


def _other_metrics(case: Case) -> str:
    """Every metric but EPS against the first consensus named for it."""
    metrics = _own_metrics(case)
    if metrics is None or "basis" not in metrics:
        return ""
    consensus = metrics[(metrics["basis"] == "consensus") & (metrics["metric"] != "eps")].dropna(subset=["actual", "estimate"])
    rows = consensus.drop_duplicates("metric").itertuples()
    found = [f"{row.metric.replace('_', ' ')} {words.percent(row.actual / row.estimate - 1, 1)}" for row in rows]
    return f"Against expectations: {words.listing(found)}." if found else ""


def _guidance(case: Case) -> str:
    """What moved in the company's own outlook."""
    metrics = _own_metrics(case)
    if metrics is None or "basis" not in metrics:
        return ""
    moved = metrics[(metrics["basis"] == "previous_guidance") & (metrics["actual"] != metrics["estimate"])]
    found = [
        f"{row.metric.replace('_', ' ')} {'raised' if row.actual > row.estimate else 'lowered'} "
        f"from {words.number(row.estimate, 0)} to {words.number(row.actual, 0)} {str(row.unit).replace('_', ' ')}"
        for row in moved.dropna(subset=["actual", "estimate"]).itertuples()
    ]
    return f"Guidance: {words.listing(found)}." if found else ""


def _what_followed(case: Case) -> str:
    market = case.market_return
    beside = f" while {case.results.market_name} returned {words.percent(market)}" if pd.notna(market) else ""
    return (
        f"The first session that could react, day zero, was {words.date(case.day_zero)}: the share returned "
        f"{words.percent(case.day['return'])}{beside}, an abnormal return of {words.percent(case.day['ar'])} "
        f"({case.results.model.name} model)."
    )


def _own_yardstick(case: Case) -> str:
    n = int(case.day["n_own"])
    if n < MIN_EARLIER_DAYS:
        return (
            f"With {words.count(n, 'earlier earnings day')} in the data (at least {MIN_EARLIER_DAYS} are needed) the move "
            "cannot be set against the company's own earnings days."
        )
    rank = int(case.day["rank_own"])
    return (
        f"Against {case.ticker}'s own {n} earlier earnings days that is {words.size_in_words(rank, n)}: in absolute size "
        f"it ranks {words.ordinal(rank)} of {n + 1}, at {words.number(case.day['z_own'], 2, signed=True)} times their "
        f"typical (root mean square) move of {words.percent(case.day['rms_own'], 1, signed=False)}."
    )


def _ordinary(case: Case) -> str:
    day = case.day
    return (
        f"Against ordinary days it is {words.distinguishable(day['ar'], day['ar_se'], day['p_value'], 'zero')}; "
        f"95% interval {words.interval(day['ar_low'], day['ar_high'])}, t {words.number(day['t'])}."
    )


def header_cards(case: Case) -> Fragment:
    """The five figures that matter."""
    day, n = case.day, int(case.day["n_own"])
    known = n >= MIN_EARLIER_DAYS
    surprise = case.this["surprise_pct"]
    estimate = case.event.get("eps_estimate")
    return cards(
        [
            ("Return on day zero", words.percent(day["return"]), f"{case.results.market_name or 'no market'} {words.percent(case.market_return)}"),
            ("Abnormal return", words.percent(day["ar"]), f"95% interval {words.interval(day['ar_low'], day['ar_high'])}"),
            (
                "Against own earnings days",
                words.number(day["z_own"], 2, signed=True) if known else "–",
                f"z; rank {int(day['rank_own'])} of {n + 1} by size" if known else f"only {n} earlier days",
            ),
            ("Against ordinary days", f"t {words.number(day['t'])}", f"p {words.p_value(day['p_value'])}, {day['df']:.0f} degrees of freedom"),
            (
                "EPS surprise",
                words.percent(surprise, 1),
                f"{words.number(case.event.get('eps_actual'))} against {words.number(estimate)}" if pd.notna(estimate) else "no estimate",
            ),
        ]
    )


# -- sections ---------------------------------------------------------------------------


def announcement_table(case: Case) -> Fragment:
    """What was expected, what came, guidance and other metrics, each with source and vintage."""
    metrics = _own_metrics(case)
    if metrics is None:
        return _eps_table(case)
    shown = metrics.reset_index(drop=True)
    for name in ("metric", "unit", "basis"):
        shown[name] = shown[name].str.replace("_", " ") if name in shown else ""
    shown["difference"] = (shown["actual"] - shown["estimate"]) / shown["estimate"].abs()
    compared = shown["estimate_source"] if "estimate_source" in shown else pd.Series(None, index=shown.index, dtype=object)
    sources = list(dict.fromkeys([*shown["source"].dropna(), *compared.dropna()]))
    shown["sources"] = [_numbers(sources, pair) for pair in zip(shown["source"], compared, strict=True)]
    shown["vintage"] = [_vintage(value) for value in shown["estimate_as_of"]] if "estimate_as_of" in shown else "not known"
    columns: dict[str, Column | str] = {
        "metric": "metric",
        "actual": Column("came", _figure),
        "estimate": Column("compared with", _figure),
        "unit": "unit",
        "basis": "comparison",
        "difference": _pct("difference", 1),
        "vintage": "comparison as of",
        "sources": "sources",
    }
    if "note" in shown and shown["note"].notna().any():
        columns["note"] = "note"
        shown["note"] = shown["note"].fillna("")
    main = table(shown, columns, caption="What came, and what it is compared with.")
    return main + numbered(sources, "Sources, in the order of their numbers")


def _numbers(sources: list[str], cited: tuple[Any, ...]) -> str:
    """Numbers of the cited sources, such as ``1, 3``."""
    return ", ".join(dict.fromkeys(str(sources.index(source) + 1) for source in cited if pd.notna(source)))


def _figure(value: Any) -> str:
    return words.number(value, 2 if pd.isna(value) or abs(value) < 1000 else 0)


def _vintage(value: Any) -> str:
    return "not known" if pd.isna(value) else f"{value:%Y-%m-%d}"


def _own_metrics(case: Case) -> pd.DataFrame | None:
    """Metrics rows of this announcement."""
    metrics = case.announcements.metrics
    if metrics is None:
        return None
    own = metrics[(metrics["ticker"] == case.ticker) & (metrics["announced_at"] == case.event["announced_at"])]
    return own if len(own) else None


def _eps_table(case: Case) -> Fragment:
    """The announcement's own columns where no metrics table came with it."""
    event = case.event
    rows = []
    for name, label in (("eps", "earnings per share"), ("revenue", "revenue")):
        actual, estimate = event.get(f"{name}_actual"), event.get(f"{name}_estimate")
        if pd.notna(actual) or pd.notna(estimate):
            difference = case.this["surprise_pct"] if name == "eps" else (actual - estimate) / abs(estimate)
            rows.append((label, actual, estimate, difference))
    if not rows:
        return paragraph("The source has no figures for this announcement, neither reported nor expected.", "note")
    frame = pd.DataFrame(rows, columns=["metric", "actual", "estimate", "difference"])
    frame["source"] = event.get("estimate_source") if pd.notna(event.get("estimate_source")) else "not stated"
    frame["vintage"] = _vintage(event.get("estimate_as_of"))
    columns: dict[str, Column | str] = {
        "metric": "metric",
        "actual": Column("came", _figure),
        "estimate": Column("expected", _figure),
        "difference": _pct("difference", 1),
        "source": "source of the estimate",
        "vintage": "as of",
    }
    return table(frame, columns, caption="What came, and what was expected.")


def guidance_note(case: Case) -> Fragment:
    """What the comparison can and cannot carry."""
    metrics = _own_metrics(case)
    texts = []
    if metrics is not None and "estimate_as_of" in metrics and metrics["estimate_as_of"].isna().any():
        texts.append(
            "Where the date of an estimate is not known it may have been revised after the announcement; "
            "read such a difference as indicative."
        )
    period = case.event.get("estimate_source")
    if pd.notna(period):
        texts.append(f"The estimate in the header comes from the vendor table {period}.")
    return bullets(texts) if texts else paragraph("")


def timeline_table(case: Case) -> Fragment:
    """From the close before to the close of day zero, on the exchange's clock."""
    position = case.calendar.position(pd.DatetimeIndex([case.day_zero]))[0]
    before = case.calendar.sessions[position - 1]
    rows: list[tuple[str, Any, str]] = [
        ("close before", case.calendar.session_close(before), "the last price that cannot know the news"),
        ("open of day zero", case.calendar.session_open(case.day_zero), "first auction after the news" if case.row["timing"] != "dmh" else ""),
        ("close of day zero", case.calendar.session_close(case.day_zero), "end of the first session that could react"),
    ]
    event = case.event
    source = event.get("announced_at_source")
    how = f"from {str(source).replace('_', ' ')}" if pd.notna(source) else "as given by the source"
    if pd.notna(event["announced_at"]):
        rows.append(("release", event["announced_at"], how))
    if pd.notna(event.get("sec_accepted_at")):
        rows.append(("8-K accepted by the SEC", pd.Timestamp(event["sec_accepted_at"]), "upper bound of the release time"))
    if pd.notna(event.get("call_at")):
        rows.append(("call begins", event["call_at"], ""))
    frame = pd.DataFrame(rows, columns=["what", "at", "note"])
    frame["at"] = [pd.Timestamp(at).tz_convert(case.zone) for at in frame["at"]]
    frame = frame.sort_values("at", kind="stable", ignore_index=True)
    frame["when"] = [f"{at:%a %Y-%m-%d %H:%M %Z}" for at in frame["at"]]
    return table(frame, {"what": "", "when": "when (exchange clock)", "note": "note"})


def timing_sentence(case: Case) -> Fragment:
    """Timing, day zero, and where a date-only study would have looked."""
    timing = case.row["timing"]
    text = (
        f"Timing {timing} ({words.TIMINGS[timing]}); precision of the instant: {case.event['precision']}. Day zero is the first "
        f"session whose close lies after the announcement: {words.date(case.day_zero)}."
    )
    session = case.calendar.sessions[case.calendar.sessions.searchsorted(case.event["announced_on"])]
    if session != case.day_zero:
        offset = int((case.calendar.position(pd.DatetimeIndex([session])) - case.calendar.position(pd.DatetimeIndex([case.day_zero])))[0])
        if offset in case.path.index:
            there = case.path.loc[offset]
            text += (
                f" A study that knows the date only would use {words.date(session)}, which shows a return of "
                f"{words.percent(there['return'])} and an abnormal return of {words.percent(there['ar'])}: the wrong day."
            )
    return paragraph(text)


def legs_table(case: Case) -> Fragment:
    """The legs of the reaction."""
    names = {
        "pre_release": "close to release",
        "release": "release to call",
        "call": "call to end of extended trading",
        "pre_market": "end of extended trading to open",
        "session": "open to close of day zero",
    }
    simple = {"close_to_close": "close to close", "after_hours": "close to end of extended trading", "overnight": "close to open", "intraday": "open to close"}
    rows = [(names[name], value, "log") for name, value in case.reaction.log.items() if value is not None]
    if rows:
        rows.append(("sum of the legs", sum(value for _, value, _ in rows), "log"))
    rows += [(simple[name], value, "simple") for name, value in case.reaction.simple.items() if value is not None]
    frame = pd.DataFrame(rows, columns=["leg", "value", "scale"])
    return table(frame, {"leg": "leg", "value": _pct("return"), "scale": "scale"}, mark=lambda row: row["leg"] == "sum of the legs")


def legs_notes(case: Case) -> Fragment:
    """What the legs rest on."""
    texts = [*case.reaction.notes, "The legs are raw, not adjusted for the market, whose own legs are not in the daily data."]
    return bullets([*texts, NO_CAUSE, "One evening permits description, not inference."])


def own_days_sentence(case: Case) -> Fragment:
    """This reaction among the company's own, in words."""
    earlier = case.earlier
    if len(earlier) < MIN_EARLIER_DAYS:
        return paragraph(_own_yardstick(case), "note")
    same = earlier[earlier["surprise"] == case.this["surprise"]]
    text = _own_yardstick(case)
    if case.this["surprise"] in ("beat", "miss", "in line") and len(same):
        down = int((same["ar"] < 0).sum())
        named = {"beat": "beat", "miss": "miss", "in line": "result in line"}[case.this["surprise"]]
        text += f" Of its {words.count(len(same), 'earlier ' + named, 'earlier ' + named + 's' if named != 'miss' else 'earlier misses')}, {down} had a negative abnormal return on day zero."
    return paragraph(text)


def run_up_table(case: Case) -> Fragment:
    """CAR over the declared family of windows that the study fitted."""
    first, last = case.results.settings.window
    family = [(-10, -1, "run-up"), (0, 0, "reaction"), (0, 1, "primary"), (-1, 1, "surrounding"), (2, 10, "after"), (first, last, "whole window")]
    rows = []
    for start, end, name in family:
        if first <= start and end <= last:
            one = case.results.car(start, end).iloc[case.position]
            half = stats.t.ppf(0.975, one["df"]) * one["se"]
            rows.append((name, f"[{start},\u00a0{end}]".replace("-", "\u2212"), one["car"], one["se"], one["car"] - half, one["car"] + half, one["t"], one["p_value"], words.MDE_FACTOR * one["se"]))
    frame = pd.DataFrame(rows, columns=["name", "window", "car", "se", "low", "high", "t", "p", "mde"])
    columns: dict[str, Column | str] = {
        "name": "", "window": "days", "car": _pct("CAR"), "se": _size("standard error"), "low": _pct("95% from"), "high": _pct("to"),
        "t": _num("t"), "p": Column("p", words.p_value), "mde": _size("detectable at 80% power"),
    }
    return table(frame, columns, caption="Cumulative abnormal returns. Windows overlap, and several tests were made: one p below 0.05 among six is weak evidence.")


def benchmarks_table(frame: pd.DataFrame) -> Fragment:
    """Day zero under each model and benchmark."""
    columns: dict[str, Column | str] = {
        "model": "model", "benchmark": "benchmark", "ar": _pct("abnormal return"), "low": _pct("95% from"), "high": _pct("to"),
        "t": _num("t"), "p_value": Column("p", words.p_value), "n_observations": Column("estimation days", lambda n: f"{n:.0f}"),
        "note": "note",
    }
    return table(frame, columns)


def estimation_table(case: Case) -> Fragment:
    """Estimates with and without the firm's other announcements in the estimation window."""
    rows = []
    for label, results in (("other announcements cut", case.results), ("left in", case.kept)):
        i = results.locate(str(case.event["event_id"]))
        one, zero, window = results.parameters.iloc[i], results.car(0, 0).iloc[i], results.diagnostics.iloc[i]
        rows.append(
            {
                "label": label, "alpha": one.get("alpha"), "beta": one.get("beta"), "sigma": one["sigma"], "r_squared": one["r_squared"],
                "n": one["n_observations"], "cut": window["n_cut"], "ar": zero["car"], "t": zero["t"],
            }
        )
    frame = pd.DataFrame(rows)
    columns: dict[str, Column | str] = {
        "label": "", "n": Column("days used", lambda n: f"{n:.0f}"), "cut": Column("days cut", lambda n: f"{n:.0f}"),
        "alpha": _pct("alpha a day", 3), "beta": _num("beta", 3), "sigma": _size("sigma a day", 3), "r_squared": _num("R²", 3),
        "ar": _pct("day-zero AR", 3), "t": _num("t"),
    }
    return table(frame.dropna(axis=1, how="all"), {k: v for k, v in columns.items() if k in frame.dropna(axis=1, how="all")})


def estimation_sentence(case: Case) -> Fragment:
    """The estimation window in words."""
    window = case.results.diagnostics.iloc[case.position]
    text = (
        f"Estimation window {window['estimation_start']:%Y-%m-%d} to {window['estimation_end']:%Y-%m-%d}: "
        f"{words.count(int(window['n_observations']), 'day')} used, {window['n_cut']} cut around "
        f"{words.count(int(window['n_other_announcements']), 'other announcement')}, {window['n_missing']} without a price."
    )
    if window["other_in_window"]:
        text += f" Another announcement of the company falls inside the event window, on day {window['other_in_window']}."
    return paragraph(text)


def same_day_table(case: Case) -> Fragment:
    """Other companies whose day zero is the same session."""
    events = case.results.events.reset_index(drop=True)
    zero = case.results.car(0, 0).reset_index(drop=True)
    rows = (events["day_zero"] == case.day_zero) & (events["ticker"] != case.ticker)
    ledger = case.results.ledger
    lost = ledger[(ledger["day_zero"] == case.day_zero) & (ledger["status"] == "excluded") & (ledger["ticker"] != case.ticker)]
    if not rows.any() and not len(lost):
        return paragraph("No other company in the data has its day zero on this session.")
    frame = pd.DataFrame(
        {
            "ticker": events.loc[rows, "ticker"], "timing": events.loc[rows, "timing"],
            "announced": events.loc[rows, "announced_on"], "ar": zero.loc[rows, "car"], "t": zero.loc[rows, "t"], "note": "",
        }
    )
    excluded = pd.DataFrame({"ticker": lost["ticker"], "timing": lost["timing"], "announced": pd.NaT, "note": lost["reason"] + ": " + lost["detail"]})
    frame = pd.concat([frame, excluded], ignore_index=True) if len(excluded) else frame
    columns: dict[str, Column | str] = {"ticker": "company", "timing": "timing", "ar": _pct("day-zero AR"), "t": _num("t"), "note": "note"}
    return table(frame, columns, caption=f"Companies with the same day zero, {case.day_zero:%Y-%m-%d}. Their news and this one's cannot be told apart in common moves.")


def ledger_table(case: Case) -> Fragment:
    """Used + excluded = input, for the firm and for everything the study was given."""
    ledger = case.results.ledger
    parts = {case.ticker: ledger[ledger["ticker"] == case.ticker], "all companies": ledger}
    rows = []
    for name, part in parts.items():
        rows.append((name, "used", "", int((part["status"] == "used").sum())))
        for reason, n in part.loc[part["status"] == "excluded", "reason"].value_counts().items():
            rows.append((name, "excluded", str(reason), int(n)))
        rows.append((name, "input", "used + excluded", len(part)))
    frame = pd.DataFrame(rows, columns=["who", "status", "reason", "events"])
    return table(frame, {"who": "announcements of", "status": "", "reason": "reason", "events": Column("events", lambda n: f"{n:,}")}, mark=lambda row: row["status"] == "input")


def definitions(case: Case) -> Fragment:
    """The terms of the report."""
    settings = case.results.settings
    return facts(
        {
            "day zero": "first session whose close lies strictly after the announcement",
            "abnormal return (AR)": f"return minus what the model expects; model: {case.results.model.definition}",
            "estimation window": f"trading days {settings.estimation[0]} to {settings.estimation[1]}; days -1 to +1 around the firm's other announcements are {'cut' if settings.other_announcements == 'cut' else 'kept'}",
            "standard error": "residual standard deviation with the full forecast-error correction (Patell 1976; Campbell, Lo and MacKinlay 1997)",
            "t against ordinary days": "AR over its standard error, Student with M - k degrees of freedom",
            "z against own earnings days": f"AR over the root mean square of the firm's earlier day-zero ARs, at least {MIN_EARLIER_DAYS} of them",
            "rank": "by absolute size among the earlier days and this one; 1 is the largest move",
            "CAR": "sum of abnormal returns; an event leaves a window in which a day is missing",
            "detectable at 80% power": f"{words.MDE_FACTOR} standard errors: the smallest effect a two-sided 5% test finds four times in five",
            "timing": "bmo before the open, dmh during market hours, amc after the close, closed on a day without trading",
        }
    )


def payload(case: Case, windows: list[tuple[int, int]] | None = None) -> dict[str, Any]:
    """The numbers of the report, machine-readable, as ``results.json`` holds them."""
    i, results = case.position, case.results
    window = results.diagnostics.iloc[i]
    one = results.parameters.iloc[i]
    first, last = results.settings.window
    family = windows or [w for w in ((0, 0), (0, 1), (-1, 1), (-10, -1), (first, last)) if first <= w[0] and w[1] <= last]
    ledger = results.ledger
    n = int(case.day["n_own"])
    event = case.event
    return {
        "event": {
            "event_id": event["event_id"],
            "ticker": case.ticker,
            "kind": event["kind"],
            "announced_at": event["announced_at"] if pd.notna(event["announced_at"]) else f"{event['announced_on']:%Y-%m-%d}",
            "timing": case.row["timing"],
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
        "parameters": {name: one.get(name) for name in ("alpha", "beta", "sigma")},
        "windows": [
            {"start": w[0], "end": w[1], **results.car(*w).iloc[i][["car", "se", "t", "p_value"]].to_dict()} for w in family
        ],
        "earnings_day": {
            "z": case.day["z_own"],
            "rank": case.day["rank_own"],
            "n": n,
            "rank_by": "absolute size, 1 = largest, among the n earlier days and this one",
        },
        "reaction": {"simple": case.reaction.simple, "log": case.reaction.log},
        "ledger": {
            "input": len(ledger),
            "used": int((ledger["status"] == "used").sum()),
            "excluded": {str(reason): int(k) for reason, k in results.exclusions.items()},
        },
    }


def peers_note(members: list[str]) -> Fragment:
    """Which firms make up the peer benchmark."""
    if not members:
        return paragraph(
            "No other company of the source has prices and no announcement of its own within one session of day zero, "
            "so there is no peer benchmark.",
            "note",
        )
    few = " So few peers make a noisy benchmark." if len(members) < 5 else ""
    return paragraph(
        f"Peers: the equal-weighted return of {words.listing(members)}, the companies of the source without an announcement "
        f"of their own within one session of day zero.{few}"
    )


def provenance(case: Case, source: Any) -> Fragment:
    """Where the numbers come from."""
    prints = source.fingerprint()
    event = case.event
    items = {
        "source": source.name,
        "content hash of the source": prints["sha256"],
        "announcement instant from": str(event["announced_at_source"]).replace("_", " ") if pd.notna(event.get("announced_at_source")) else "the source, unstated",
        "estimate from": str(event["estimate_source"]) if pd.notna(event.get("estimate_source")) else "not stated",
        "market": case.results.market_name or "none",
    }
    if source.name == "sample":
        items["how the sample was chosen"] = (
            "by hand: large companies that survived to the end; averages over it do not describe the market as a whole"
        )
        items["market return"] = "S&P 500 price index, without dividends"
    return facts(items)
