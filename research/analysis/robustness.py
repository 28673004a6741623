"""Does the result hold: other specifications, other samples, other tests (METHODS 6.9, 6.10)."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from statsmodels.stats.multitest import multipletests

from research.analysis._design import numbers
from research.analysis._placebo import CleanPools, reactions
from research.analysis.bootstrap import ENUMERATE, sign_patterns
from research.analysis.clusters import codes
from research.analysis.effects import Effect, effect, minimum_detectable_effect
from research.errors import InputError, ParameterError, ResearchWarning, in_words, nearest
from research.events.announcements import Announcements
from research.events.calendar import TradingCalendar
from research.study.inputs import as_announcements
from research.study.models import VasicekModel, resolve_model
from research.study.results import EventStudyResults
from research.study.settings import relative_window, whole_number
from research.study.study import EventStudy

__all__ = [
    "DAY_ZERO_RULES",
    "adjust_p_values",
    "leave_one_out",
    "minimum_detectable_effect",
    "placebo",
    "romano_wolf",
    "specification_curve",
    "subperiods",
]

Floats = NDArray[np.float64]

#: Rules for day zero: by the instant (METHODS 1.2); the announcement's calendar date, as a
#: table without hours would have it; one session later.
DAY_ZERO_RULES = ("instant", "date", "next session")

_ADJUSTMENTS = {"holm": "holm", "benjamini-hochberg": "fdr_bh", "benjamini-yekutieli": "fdr_by"}


def specification_curve(
    events: Announcements | pd.DataFrame,
    returns: pd.DataFrame,
    market: pd.Series | None = None,
    *,
    windows: Iterable[tuple[int, int]] = ((0, 0), (0, 1), (-1, 1)),
    models: Iterable[Any] = ("market", "market-adjusted", "mean-adjusted"),
    estimations: Iterable[tuple[int, int]] = ((-250, -11), (-120, -11)),
    day_zero_rules: Iterable[str] = DAY_ZERO_RULES,
    covariate: pd.Series | None = None,
    primary: tuple[tuple[int, int], Any, tuple[int, int], str] = ((0, 1), "market", (-250, -11), "instant"),
    **choices: Any,
) -> pd.DataFrame:
    """The headline number under every combination of defensible choices.

    Parameters
    ----------
    events, returns, market
        As in :class:`research.EventStudy`.
    windows, models, estimations, day_zero_rules
        The choices; every combination is one specification. ``date`` takes the calendar date of the
        announcement for day zero, as a table without hours would, and shows what that costs.
    covariate : Series indexed by ``event_id``, optional
        The number is the slope of the CAR on it (0 and 1: a difference of means); by default the mean CAR.
    primary : tuple
        ``(window, model, estimation, rule)`` of the specification declared beforehand.
    **choices
        Further arguments of the study.

    Returns
    -------
    DataFrame
        One row a specification: ``window, model, estimation, day_zero_rule``, the fields of
        :class:`research.analysis.effects.Effect` (errors clustered by day zero), ``primary`` (bool). The
        estimation windows end where they did for rule ``instant``; only the test window moves.

    Raises
    ------
    ParameterError
        An empty choice, or an unknown model or rule for day zero.
    InputError
        A covariate that is not numeric, or no event with all that a specification needs.
    """
    listed = [relative_window("windows", window) for window in windows]
    spans = [relative_window("estimations", window) for window in estimations]
    rules = list(day_zero_rules)
    models = list(models)
    for name, given in {"windows": listed, "estimations": spans, "day_zero_rules": rules, "models": models}.items():
        if not given:
            raise ParameterError("nothing to choose from", parameter=name, value=given, allowed="at least one")
    if covariate is not None:
        covariate = numbers(covariate, "covariate")
    for rule in rules:
        if rule not in DAY_ZERO_RULES:
            raise ParameterError(
                "unknown rule", parameter="day_zero_rules", value=rule, allowed=", ".join(DAY_ZERO_RULES),
                remedy=nearest(str(rule), DAY_ZERO_RULES) or None,
            )  # fmt: skip
    # Checked once, not once a specification.
    events = as_announcements(events)
    outer = (min(a for a, _ in listed) - 1, max(b for _, b in listed) + 1)
    rows = []
    for model, span in itertools.product(models, spans):
        # Where nothing is estimated the estimation window changes nothing: one specification, not several.
        if resolve_model(model).n_coefficients == 0 and span != spans[0]:
            continue
        results = _fit(events, returns, model, market, window=outer, estimation=span, **choices)
        for window, rule in itertools.product(listed, rules):
            found = _windowed(results, window, rule, covariate)
            name = results.model.name
            chosen = (window, span, rule) == (primary[0], primary[2], primary[3]) and primary[1] in (model, name)
            spec = {"window": window, "model": name, "estimation": span, "day_zero_rule": rule}
            rows.append({**spec, **vars(found), "primary": chosen})
    return pd.DataFrame(rows)


def _fit(
    events: Announcements | pd.DataFrame, returns: pd.DataFrame, model: Any, market: Any, **choices: Any
) -> EventStudyResults:
    """A fit that does not repeat the warning on few known announcements for every specification."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResearchWarning)
        return EventStudy(events, returns, model, market, **choices).fit()


def _windowed(results: EventStudyResults, window: tuple[int, int], rule: str, covariate: pd.Series | None) -> Effect:
    """Effect of one window under one day-zero rule."""
    abnormal = results.abnormal_returns.to_numpy()
    events = results.events
    shift = np.zeros(len(events), dtype=np.int64)
    if rule == "date":
        shift[events["timing"].eq("amc").to_numpy()] = -1
    elif rule == "next session":
        shift += 1
    first = window[0] - results.settings.window[0] + shift
    columns = first[:, None] + np.arange(window[1] - window[0] + 1)
    car = pd.Series(np.take_along_axis(abnormal, columns, axis=1).sum(axis=1), index=events["event_id"].to_numpy())
    days = pd.Series(events["day_zero"].to_numpy(), index=car.index)
    return effect(car, days, None if covariate is None else covariate.reindex(car.index))


def adjust_p_values(p_values: pd.Series, methods: Sequence[str] = ("holm", "benjamini-hochberg")) -> pd.DataFrame:
    """Adjusted p-values of a family that was declared before looking.

    Parameters
    ----------
    p_values : Series
        NaN where a test could not be computed; those do not count in the family.
    methods : sequence of {"holm", "benjamini-hochberg", "benjamini-yekutieli"}
        Holm controls the chance of any false rejection, the other two the share of false ones.

    Returns
    -------
    DataFrame indexed like ``p_values``
        ``p_value`` and one column a method.

    Notes
    -----
    Sources: Holm (1979, Scandinavian Journal of Statistics 6); Benjamini and Hochberg (1995, JRSS-B
    57); Benjamini and Yekutieli (2001, Annals of Statistics 29).
    """
    p_values = numbers(p_values.reset_index(drop=True), "p_values").set_axis(p_values.index)
    present = p_values.dropna()
    if ((present < 0) | (present > 1)).any():
        raise ParameterError("no p-values", parameter="p_values", allowed="between 0 and 1")
    table = p_values.to_frame("p_value")
    for method in methods:
        if method not in _ADJUSTMENTS:
            raise ParameterError(
                "unknown adjustment", parameter="methods", value=method, allowed=", ".join(_ADJUSTMENTS),
                remedy=nearest(str(method), list(_ADJUSTMENTS)) or None,
            )  # fmt: skip
        adjusted = multipletests(present, method=_ADJUSTMENTS[method])[1] if len(present) else []
        table[method] = pd.Series(adjusted, index=present.index, dtype=float)
    return table


def romano_wolf(responses: pd.DataFrame, cluster: pd.Series, *, draws: int = 9999, seed: int = 0) -> pd.DataFrame:
    r"""Stepdown adjusted p-values for several means at once, by a joint wild-cluster bootstrap.

    .. math::  \tilde p_{(r)} = \max_{s \le r} \Pr\big(\max_{j \ge s}|t^*_j| \ge |t_{(s)}|\big)

    All hypotheses get the same signs cluster by cluster, so their dependence is kept, which
    Holm's method has to allow for in the worst case.

    Parameters
    ----------
    responses : DataFrame, events x hypotheses
        H0 of each column: its mean is zero. NaN where an event does not belong.
    cluster : Series indexed alike
        Usually day zero.
    draws, seed : int
        Up to 12 clusters every pattern of signs is used instead, and p is exact.

    Returns
    -------
    DataFrame indexed by hypothesis
        ``mean, se, t, n_events, p_value`` (of the same bootstrap, one at a time) and ``romano_wolf``;
        NaN for a column without variation.

    Raises
    ------
    ParameterError
        No draws, or fewer than two clusters.
    InputError
        Columns that are not numeric, or clusters indexed otherwise.

    Notes
    -----
    Source: Romano and Wolf (2005, Journal of the American Statistical Association 100).
    """
    draws = whole_number("draws", draws, 1)
    if not cluster.index.equals(responses.index):
        raise InputError("clusters are not indexed like the responses", parameter="cluster")
    text = [str(name) for name in responses.columns if not pd.api.types.is_numeric_dtype(responses[name])]
    if text:
        raise InputError("columns that are not numeric: " + in_words(text), parameter="responses")
    values = responses.to_numpy(dtype=np.float64)
    labels = codes(cluster)
    g, m = int(labels.max(initial=-1)) + 1, values.shape[1]
    if g < 2:
        raise ParameterError("fewer than two clusters", parameter="cluster", value=g)
    present = ~np.isnan(values)
    sums, counts = np.zeros((g, m)), np.zeros((g, m))
    np.add.at(sums, labels, np.where(present, values, 0.0))
    np.add.at(counts, labels, present.astype(float))
    n = counts.sum(axis=0)
    clusters_with = (counts > 0).sum(axis=0)
    factor = clusters_with / np.maximum(clusters_with - 1, 1)
    observed = _joint_t(np.ones((1, g)), sums, counts, n, factor)[0]
    drawn = np.concatenate(
        [np.abs(_joint_t(signs, sums, counts, n, factor)) for signs in sign_patterns(g, draws, seed)]
    )
    # Every pattern, the identity among them, gives the exact share; of draws the sample itself is one more.
    own = 0 if g <= ENUMERATE else 1
    t = np.where(clusters_with > 1, observed, np.nan)
    order = np.argsort(-np.abs(np.nan_to_num(t)), kind="stable")
    order = order[np.isfinite(t[order])]
    single, stepdown = np.full(m, np.nan), np.full(m, np.nan)
    running = 0.0
    for position, j in enumerate(order):
        level = np.abs(t[j]) * (1 - 1e-9)
        single[j] = (own + int((~(drawn[:, j] < level)).sum())) / (len(drawn) + own)
        highest = np.nanmax(drawn[:, order[position:]], axis=1)
        running = max(running, (own + int((~(highest < level)).sum())) / (len(drawn) + own))
        stepdown[j] = running
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = sums.sum(axis=0) / n
        se = np.abs(mean / t)
    columns = {"mean": mean, "se": se, "t": t, "n_events": n.astype(int), "p_value": single, "romano_wolf": stepdown}
    return pd.DataFrame(columns, index=responses.columns)


def _joint_t(signs: Floats, sums: Floats, counts: Floats, n: Floats, factor: Floats) -> Floats:
    """Date-clustered t of every column's mean under each row of signs."""
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = signs @ sums / n
        # sum over g of (v_g S_g - n_g mean)^2, expanded so that no cube is built
        squares = (sums**2).sum(axis=0) - 2 * mean * (signs @ (sums * counts)) + mean**2 * (counts**2).sum(axis=0)
        variance = factor * np.maximum(squares, 0.0) / n**2
        t = mean / np.sqrt(variance)
    t[:, ~(variance > 1e-30).all(axis=0) & ~(sums**2).any(axis=0)] = np.nan
    return np.asarray(t)


def leave_one_out(
    response: pd.Series, cluster: pd.Series, group: pd.Series, covariate: pd.Series | None = None
) -> pd.DataFrame:
    """The headline number without each firm in turn.

    Parameters
    ----------
    response, cluster, covariate
        As in :func:`research.analysis.effects.effect`.
    group : Series indexed alike
        Usually the ticker.

    Returns
    -------
    DataFrame indexed by the group left out
        Fields of Effect and ``change``, the difference from the whole sample; smallest estimate first.
    """
    whole = effect(response, cluster, covariate)
    rows = {}
    for name in sorted(group.dropna().unique()):
        kept = group != name
        rows[name] = vars(effect(response[kept], cluster[kept], None if covariate is None else covariate[kept]))
    table = pd.DataFrame.from_dict(rows, orient="index")
    table["change"] = table["estimate"] - whole.estimate
    table.index.name = "left out"
    return table.sort_values("estimate", kind="stable")


def subperiods(
    response: pd.Series, day_zero: pd.Series, covariate: pd.Series | None = None, *, parts: int = 3
) -> pd.DataFrame:
    """The headline number in consecutive periods with equal numbers of events (days are not split).

    Parameters
    ----------
    response, covariate
        As in :func:`research.analysis.effects.effect`; errors clustered by ``day_zero``.
    parts : int, default 3

    Returns
    -------
    DataFrame
        ``first, last`` (day zero) and the fields of Effect, in order of time.
    """
    parts = whole_number("parts", parts, 2)
    known = day_zero[response.notna() if covariate is None else response.notna() & covariate.notna()]
    if not len(known):
        raise InputError("no event has all of response and covariate", parameter="response")
    bounds = [known.quantile(i / parts, interpolation="lower") for i in range(1, parts)]
    label = np.searchsorted(np.array(bounds, dtype="datetime64[ns]"), known.to_numpy(dtype="datetime64[ns]"))
    rows = []
    for part in np.unique(label):
        rows_in = known.index[label == part]
        days = known[rows_in]
        found = effect(response[rows_in], days, None if covariate is None else covariate[rows_in])
        rows.append({"first": days.min(), "last": days.max(), **vars(found)})
    return pd.DataFrame(rows)


def placebo(
    events: Announcements | pd.DataFrame,
    returns: pd.DataFrame,
    market: pd.Series | None = None,
    *,
    window: tuple[int, int] = (0, 1),
    model: Any = "market",
    estimation: tuple[int, int] = (-250, -11),
    covariate: pd.Series | None = None,
    distance: int = 5,
    draws: int = 199,
    seed: int = 0,
    calendar: str | TradingCalendar = "XNYS",
    known_announcements: Announcements | pd.DataFrame | None = None,
    progress: Callable[[int], None] | None = None,
    **choices: Any,
) -> dict[str, Any]:
    r"""The whole pipeline on dates on which nothing was announced.

    .. math::  p = \frac{1 + \#\{|T_b| \ge |T|\}}{B + 1}

    Announcements of one day zero move together to a random session that is more than ``distance`` sessions away
    from every known announcement of each of their firms; so dates stay as clustered as they were. Everything is
    estimated anew, the prior of ``vasicek`` from each draw's own cross-section.

    Parameters
    ----------
    events, returns, market, model, estimation, calendar, known_announcements
        As in :class:`research.EventStudy`. Announcements that are known though not studied are news as well:
        no placebo is put near them, and they are cut from its estimation window.
    window : (int, int)
    covariate : Series indexed by ``event_id``, optional
        As in :func:`specification_curve`; it travels with the event.
    distance : int, default 5
    draws, seed : int
    progress : callable, optional
        Called with the number of each finished draw.

    Returns
    -------
    dict
        ``observed`` (Effect), ``draws`` (DataFrame: ``estimate, t, p_value, n_events``), ``p_value`` (of \|t\|; NaN
        where no statistic could be computed), ``granularity`` (its smallest possible value and step,
        ``1 / (B + 1)``; B counts the draws that have a statistic), ``moved`` (share of used events that found a
        clean session).
    """
    window = relative_window("window", window)
    draws, distance = whole_number("draws", draws, 0), whole_number("distance", distance, 0)
    if covariate is not None:
        covariate = numbers(covariate, "covariate")
    events = as_announcements(events)
    known = events if known_announcements is None else as_announcements(known_announcements)
    own = calendar if isinstance(calendar, TradingCalendar) else TradingCalendar(calendar)
    outer = (min(window[0], 0), max(window[1], 0))
    keep = {"window": outer, "estimation": estimation, "calendar": own, "known_announcements": known, **choices}
    actual = _fit(events, returns, model, market, **keep)
    car, days, x = _response(actual, window, covariate)
    observed = effect(car, days, None if covariate is None else x)
    pools = CleanPools(actual, known, returns, own, distance)
    rng = np.random.default_rng(seed)
    drawn = (pools.draw(rng) for _ in range(draws))
    found = reactions(
        pools, drawn, lambda moved: _fit(moved, returns, model, market, **keep), window,
        together=not (isinstance(actual.model, VasicekModel) and actual.model.prior_mean is None),
    )  # fmt: skip
    rows, n_moved = [], 0
    for number, (one, values) in enumerate(found):
        n_moved += len(one.event)
        at = pd.Series(one.session)
        gap = None if covariate is None else pd.Series(x.to_numpy()[one.event])
        single = effect(pd.Series(values), at, gap)
        rows.append({name: getattr(single, name) for name in ("estimate", "t", "p_value", "n_events")})
        if progress is not None:
            progress(number)
    table = pd.DataFrame(rows, columns=["estimate", "t", "p_value", "n_events"])
    t = table["t"].abs().dropna()
    exceeding = int((t >= abs(observed.t) * (1 - 1e-9)).sum())
    defined = len(t) > 0 and np.isfinite(observed.t)
    return {
        "observed": observed,
        "draws": table,
        "p_value": (1 + exceeding) / (len(t) + 1) if defined else float("nan"),
        "granularity": 1 / (len(t) + 1) if defined else float("nan"),
        "moved": n_moved / draws / max(1, len(actual)) if draws else float("nan"),
    }


def _response(
    results: EventStudyResults, window: tuple[int, int], covariate: pd.Series | None
) -> tuple[pd.Series, pd.Series, pd.Series]:
    """CAR, day zero and covariate of the used events, by ``event_id``; the covariate NaN where there is none."""
    car = pd.Series(results.car(*window)["car"].to_numpy(), index=results.events["event_id"].to_numpy())
    days = pd.Series(results.events["day_zero"].to_numpy(), index=car.index)
    x = pd.Series(np.nan, index=car.index) if covariate is None else covariate.reindex(car.index)
    return car, days, x
