"""How much happened, whichever way: abnormal volume and Beaver's U around announcements (METHODS 3.9)."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from research.market.prices import Prices
from research.reporting import words
from research.reporting._figure_data import behind
from research.reporting.case import Case
from research.reporting.plots import MUTED, ORANGE, RULE, Picture, _canvas, _styled
from research.reporting.tables import Column, Fragment, number_column, paragraph, table
from research.study.activity import abnormal_volume, average_u, average_volume, beaver_u
from research.study.results import EventStudyResults

#: Relative days that the table shows; the picture has the whole window.
_NEAR = (-2, 2)


def activity(case: Case, prices: Prices | None) -> pd.DataFrame:
    """Beaver's U and abnormal log volume of every day of the event window.

    Parameters
    ----------
    case : Case
    prices : Prices, optional
        Without them, or without volumes in them, volume is NaN.

    Returns
    -------
    DataFrame indexed by relative day
        ``u, u_p_value`` (of F(1, M - k), one-sided), ``volume`` (standard deviations of the estimation
        window's log volume above its mean), ``volume_rank`` and ``u_rank`` (on day zero: among the firm's own
        days of this kind up to this one, 1 = largest) and ``n_own``.
    """
    results, i = case.results, case.position
    u = beaver_u(results)
    table_ = pd.DataFrame({"u": u.iloc[i].to_numpy()}, index=pd.Index(results.relative_days, name="relative_day"))
    table_["u_p_value"] = stats.f.sf(table_["u"], 1, float(results.car(0, 0)["df"].iloc[i]))
    table_["volume"] = np.nan
    own = results.events.reset_index(drop=True)
    same = (own["ticker"] == case.ticker) & (own["kind"] == case.event["kind"]) & (own["day_zero"] <= case.day_zero)
    ranked = {"u_rank": u}
    if prices is not None and case.ticker in prices.tickers and 0 in u.columns:
        volume = abnormal_volume(results, prices.log_volume())
        table_["volume"] = volume.iloc[i].to_numpy()
        ranked["volume_rank"] = volume
    for name in ("u_rank", "volume_rank"):
        table_[name] = np.nan
        if name in ranked:
            zero = ranked[name][0].to_numpy()[same.to_numpy()]
            mine = float(ranked[name][0].iloc[i])
            if not np.isnan(mine):
                table_.loc[0, name] = float((zero > mine).sum() + 1)
    table_["n_own"] = int(same.sum())
    return table_


def activity_sentence(case: Case, found: pd.DataFrame) -> Fragment:
    """Day zero's volume and variance in words."""
    zero = found.loc[0]
    u = (
        f"Beaver's U, the squared abnormal return over the variance of ordinary days, was {words.number(zero['u'])} "
        "on day zero "
        f"(about 1 on an ordinary day; p {words.p_value(zero['u_p_value'])})"
    )
    known = int(found["n_own"].iloc[0])
    if known > 1 and pd.notna(zero["u_rank"]):
        u += f", the {words.ordinal(int(zero['u_rank']))} largest of {known} such days of {case.ticker} so far"
    if pd.isna(zero["volume"]):
        return paragraph(f"{u}. The source has no volume for {case.ticker} around this day.")
    volume = (
        f"The log of volume stood {words.number(zero['volume'], 1, signed=True)} standard deviations of the "
        "estimation window "
        "from its mean"
    )
    if pd.notna(zero["volume_rank"]) and known > 1:
        volume += f", the {words.ordinal(int(zero['volume_rank']))} largest of those days with volume"
    return paragraph(f"{u}. {volume}.")


def activity_table(found: pd.DataFrame) -> Fragment:
    """U and abnormal volume of the days next to the announcement."""
    near = found.loc[max(_NEAR[0], found.index.min()) : min(_NEAR[1], found.index.max())].reset_index()
    near["day"] = [words.number(day, 0, signed=True) for day in near["relative_day"]]
    columns: dict[str, Column | str] = {"day": "day", "u": number_column("U"), "u_p_value": Column("p", words.p_value)}
    if near["volume"].notna().any():
        columns["volume"] = Column("abnormal log volume, sd", lambda value: words.number(value, 2, signed=True))
    return table(near, columns, mark=lambda row: row["relative_day"] == 0)


@_styled
def activity_figure(found: pd.DataFrame, ticker: str) -> Picture:
    """Bars of U, and of abnormal log volume where there is one, by relative day."""
    shown = ["u"] + (["volume"] if found["volume"].notna().any() else [])
    titles = {"u": "Beaver's U", "volume": "log volume, sd from its mean"}
    figure, axes = _canvas(9, 2.9, ncols=len(shown), squeeze=False)
    days = found.index.to_numpy()
    for ax, name in zip(axes[0], shown, strict=True):
        ax.axvline(0, color=RULE, linewidth=6, zorder=0)
        ax.axhline(1 if name == "u" else 0, color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)) if name == "u" else "-")
        ax.bar(days, found[name], width=0.65, color=np.where(days == 0, ORANGE, "#b9b9b9"))
        ax.set_xlabel("trading days relative to day zero")
        ax.set_ylabel(titles[name])
    zero = found.loc[0]
    title = f"{ticker}: squared abnormal return {words.number(zero['u'])} times an ordinary day's"
    if "volume" in shown:
        title += f", log volume {words.number(zero['volume'], 1, signed=True)} standard deviations"
    figure.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=12)
    most = int(found["u"].idxmax()) if found["u"].notna().any() else 0
    alt = f"{title}. Bars by relative day from {days[0]} to {days[-1]}; U is largest on day {most}."
    headings = {"relative_day": "relative day"} | {name: titles[name] for name in shown}
    return Picture(
        figure,
        alt,
        "Beaver's U: squared abnormal return over the variance of ordinary days. Dashed: its mean on an ordinary day.",
        behind(found.reset_index(), headings),
    )


def average_activity(results: EventStudyResults, prices: Prices | None) -> pd.DataFrame:
    """Mean U and mean abnormal log volume by relative day over all used events.

    Returns
    -------
    DataFrame indexed by relative day
        ``mean_u, expected, u_p_value`` (cross-sectional t of U minus its expectation) and
        ``n_events``; ``volume, volume_p_value, n_volume`` where there are volumes.
    """
    u = average_u(results)
    table_ = u[["mean_u", "expected", "n_events"]].assign(u_p_value=u["t_p_value"])
    volume = None if prices is None or "volume" not in prices.fields else abnormal_volume(results, prices.log_volume())
    if volume is not None and volume.notna().any(axis=None):
        mean = average_volume(volume)
        table_ = table_.assign(volume=mean["mean"], volume_p_value=mean["p_value"], n_volume=mean["n_events"])
    return table_


def average_activity_sentence(found: pd.DataFrame) -> Fragment:
    """Day zero's variance and volume over all events in words."""
    zero = found.loc[0]
    text = (
        f"On day zero the squared abnormal return over its forecast variance is on average "
        f"{words.number(zero['mean_u'], 1)}, where ordinary days would give {words.number(zero['expected'], 2)} "
        f"({words.count(int(zero['n_events']), 'announcement')})."
    )
    if "volume" in found:
        text += (
            f" Log volume lies {words.number(zero['volume'], 1)} standard deviations above its mean in the estimation "
            f"window ({words.count(int(zero['n_volume']), 'announcement')} with volumes)."
        )
    else:
        text += " The source has no volumes for these announcements."
    return paragraph(f"{text} The p-values assume independent announcements.")


def average_activity_table(found: pd.DataFrame) -> Fragment:
    """Mean U and abnormal volume of the days next to the announcement."""
    near = found.loc[max(-3, found.index[0]) : min(5, found.index[-1])].reset_index()
    columns: dict[str, Column | str] = {
        "relative_day": Column("day", lambda day: words.number(day, 0, signed=True)),
        "mean_u": number_column("mean U"),
        "u_p_value": Column("p", words.p_value),
        "n_events": Column("announcements", lambda n: f"{n:,.0f}"),
    }
    if "volume" in near:
        columns |= {
            "volume": number_column("abnormal log volume, sd"),
            "volume_p_value": Column("p, volume", words.p_value),
            "n_volume": Column("with volumes", lambda n: f"{n:,.0f}"),
        }
    return table(near, columns, caption="How much happened, whichever way.", mark=lambda row: row["relative_day"] == 0)
