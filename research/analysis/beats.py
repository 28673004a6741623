"""Beat, and fell: how often good news meets a falling price, and how often it would anyway (METHODS 5.7).

"The abnormal return is negative" happens on about half of all earnings days. A share of
beats that fell means something only beside the share expected if surprise and reaction
had nothing to do with each other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from research.analysis.clusters import codes
from research.errors import InputError, ParameterError
from research.events import surprises
from research.study.results import EventStudyResults

#: Scaled form: a fall of more than this many of the firm's own typical earnings-day moves.
SCALED = -1.0

FORMS = ("raw", "scaled")


@dataclass(frozen=True)
class BeatButDip:
    """Beats that fell, against what independence would give.

    Attributes
    ----------
    table : DataFrame indexed by form (``raw``: day-zero AR < 0; ``scaled``: z_E < -1)
        ``n_events`` (with surprise and reaction), ``n_beats, n_falls, n_both``; ``falls_of_beats`` (share of
        beats that fell), ``base_rate`` (share of all events that fell: what independence gives),
        ``difference, se, t, df, p_value, low, high`` (errors clustered by day zero, 95% limits).
    events : DataFrame indexed by ``event_id``
        ``ticker, day_zero, surprise, class, ar, z_own, raw, scaled``; the last two say whether the event is a
        beat that fell, NA where that cannot be said.
    """

    table: pd.DataFrame
    events: pd.DataFrame

    def listed(self, form: str = "raw") -> pd.DataFrame:
        """The beats that fell, latest first."""
        if form not in FORMS:
            raise ParameterError("unknown form", parameter="form", value=form, allowed=", ".join(FORMS))
        chosen = self.events[self.events[form].fillna(False).astype(bool)]
        return chosen.sort_values("day_zero", ascending=False, kind="stable")


def beat_but_dip(
    results: EventStudyResults, surprise: pd.Series | None = None, *, dead_band: float = surprises.DEAD_BAND
) -> BeatButDip:
    r"""Share of beats with a falling price beside its base rate.

    .. math::  \Pr(\text{fall} \mid \text{beat}) - \Pr(\text{fall})

    Parameters
    ----------
    results : EventStudyResults
    surprise : Series indexed by ``event_id``, optional
        Decimals; by default the percentage surprise of the EPS columns.
    dead_band : float, default 0.01
        A beat is a surprise of at least this much.

    Returns
    -------
    BeatButDip

    Raises
    ------
    InputError
        If no event has both a surprise and a reaction.

    Notes
    -----
    The difference is the mean of ``fall - base rate`` over beats; its linearised standard error
    clusters by day zero and counts the sampling error of the base rate. NaN where every event is a beat.
    """
    frame = results.events
    if surprise is None:
        surprise = surprises.table(results.announced)["eps_surprise"]
    yard = results.yardsticks(0)
    events = pd.DataFrame(
        {
            "ticker": frame["ticker"].to_numpy(),
            "day_zero": frame["day_zero"].to_numpy(),
            "ar": yard["ar"].to_numpy(),
            "z_own": yard["z_own"].to_numpy(),
        },
        index=pd.Index(frame["event_id"], name="event_id"),
    )
    events.insert(2, "surprise", surprise.reindex(events.index).astype(float))
    events.insert(3, "class", surprises.surprise_class(events["surprise"], dead_band))
    known = events["surprise"].notna()
    if not (known & events["ar"].notna()).any():
        raise InputError("no event has both a surprise and a reaction", parameter="surprise")
    beat = events["class"] == "beat"
    rows = {}
    for form, measure, limit in (("raw", events["ar"], 0.0), ("scaled", events["z_own"], SCALED)):
        usable = known & measure.notna()
        fall = measure < limit
        events[form] = (beat & fall).astype("boolean").where(usable)
        rows[form] = _compare(beat[usable], fall[usable], events.loc[usable, "day_zero"])
    return BeatButDip(pd.DataFrame.from_dict(rows, orient="index"), events)


def _compare(beat: pd.Series, fall: pd.Series, day_zero: pd.Series) -> dict[str, float]:
    """One row of the table."""
    b, f = beat.to_numpy(dtype=np.float64), fall.to_numpy(dtype=np.float64)
    n, n_beats = len(b), int(b.sum())
    row: dict[str, float] = {
        "n_events": n,
        "n_beats": n_beats,
        "n_falls": int(f.sum()),
        "n_both": int((b * f).sum()),
        "falls_of_beats": float((b * f).sum() / n_beats) if n_beats else np.nan,
        "base_rate": float(f.mean()) if n else np.nan,
    }
    row["difference"] = row["falls_of_beats"] - row["base_rate"]
    labels = codes(day_zero)
    g = int(labels.max(initial=-1)) + 1
    if n_beats in (0, n) or g < 2:
        return row | dict.fromkeys(("se", "t", "df", "p_value", "low", "high"), np.nan)
    influence = b * (f - row["falls_of_beats"]) / n_beats - (f - row["base_rate"]) / n
    sums = np.bincount(labels, weights=influence, minlength=g)
    se = float(np.sqrt(g / (g - 1) * (sums @ sums)))
    df = float(g - 1)
    half = float(stats.t.ppf(0.975, df)) * se
    t = row["difference"] / se if se > 0 else np.nan
    return row | {
        "se": se, "t": t, "df": df, "p_value": float(2 * stats.t.sf(abs(t), df)),
        "low": row["difference"] - half, "high": row["difference"] + half,
    }  # fmt: skip
