"""Expected-return models: frozen specifications that say what a return is compared with.

A model does no estimation. It turns the market and factor series into a
:class:`Design` (what is subtracted from the return, and what the rest is
regressed on), which the kernels of :mod:`research.study.estimation` work off. Models
that correct the least-squares estimates name their correction, which
:mod:`research.study.corrections` carries out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from research.errors import ParameterError, nearest, whole_number
from research.market.factors import FactorReturns
from research.study.thin_trading import MAX_GAP

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Series:
    """What a model may draw on, on the sessions of the grid.

    Attributes
    ----------
    sessions : DatetimeIndex of length n_sessions
    market : ndarray of shape (n_sessions,) or None
        Simple market return, decimals.
    factors : FactorReturns or None
    market_before : float
        Market return on the session before the grid, the lag of its first session; NaN where unknown.
    """

    sessions: pd.DatetimeIndex
    market: Floats | None = None
    factors: FactorReturns | None = None
    market_before: float = np.nan

    def need_market(self, model: str) -> Floats:
        """The market return; a ParameterError without one."""
        if self.market is None:
            raise ParameterError(
                f"the model {model!r} needs a market return",
                parameter="market",
                remedy="Pass market= as a Series of simple returns or as a column name of `returns`.",
            )
        return self.market

    def need_factors(self, model: str) -> FactorReturns:
        """The factor returns; a ParameterError without them."""
        if self.factors is None:
            raise ParameterError(
                f"the model {model!r} needs factor returns",
                parameter="factors",
                remedy="Pass factors= as a DataFrame in decimals with French's names (Mkt-RF SMB HML RMW CMA Mom RF).",
            )
        return self.factors


@dataclass(frozen=True)
class Design:
    """What a model asks of the kernels, on the sessions of the grid.

    Attributes
    ----------
    offset : ndarray of shape (n_sessions,) or None
        Subtracted from the return before anything else; NaN where missing.
    regressors : ndarray of shape (p, n_sessions)
        Without the constant; NaN where missing.
    constant : bool
        Whether an intercept is estimated.
    """

    offset: Floats | None
    regressors: Floats
    constant: bool

    def complete(self) -> NDArray[np.bool_]:
        """Sessions on which every series of the model is present; shape (n_sessions,)."""
        present = np.asarray(np.isfinite(self.regressors).all(axis=0))
        return present if self.offset is None else present & np.isfinite(self.offset)


@dataclass(frozen=True)
class ExpectedReturnModel:
    """Base class of the specifications."""

    #: Name under which ``EventStudy(model=...)`` and the reports know it.
    name: ClassVar[str] = ""
    #: One line for tables of definitions.
    definition: ClassVar[str] = ""
    needs_market: ClassVar[bool] = False
    #: Whether an intercept is estimated.
    constant: ClassVar[bool] = True

    @property
    def slope_names(self) -> tuple[str, ...]:
        """Names of the estimated slopes, the columns of ``results.parameters``."""
        return ()

    @property
    def n_coefficients(self) -> int:
        """Number of estimated coefficients ``k``."""
        return int(self.constant) + len(self.slope_names)

    def design(self, series: Series) -> Design:
        """The series that the kernels work on."""
        raise NotImplementedError


@dataclass(frozen=True)
class MarketModel(ExpectedReturnModel):
    r"""Market model.

    .. math::  R_{it} = \alpha_i + \beta_i R_{mt} + \varepsilon_{it}, \qquad k = 2

    Source: MacKinlay (1997, Journal of Economic Literature 35).
    """

    name: ClassVar[str] = "market"
    definition: ClassVar[str] = "R = alpha + beta R_m, ordinary least squares"
    needs_market: ClassVar[bool] = True

    @property
    def slope_names(self) -> tuple[str, ...]:
        """One slope, on the market."""
        return ("beta",)

    def design(self, series: Series) -> Design:
        """One regressor: the market return."""
        return Design(None, series.need_market(self.name)[None, :], constant=True)


@dataclass(frozen=True)
class MarketAdjustedModel(ExpectedReturnModel):
    r"""Market-adjusted return, ``AR = R - R_m``; nothing is estimated (k = 0).

    Its variance is uncentred, :math:`s^2 = \sum AR^2 / M`, so that the general
    theory with an empty regressor matrix applies and C is the identity.

    Source: Brown and Warner (1985, Journal of Financial Economics 14).
    """

    name: ClassVar[str] = "market-adjusted"
    definition: ClassVar[str] = "R - R_m; s^2 = mean of squared AR, uncentred"
    needs_market: ClassVar[bool] = True
    constant: ClassVar[bool] = False

    def design(self, series: Series) -> Design:
        """No regressor; the market return is the offset."""
        offset = series.need_market(self.name)
        return Design(offset, np.empty((0, len(series.sessions))), constant=False)


@dataclass(frozen=True)
class MeanAdjustedModel(ExpectedReturnModel):
    r"""Constant mean return, :math:`R_{it} = \alpha_i + \varepsilon_{it}` (k = 1).

    Source: Brown and Warner (1980, Journal of Financial Economics 8); MacKinlay (1997, JEL 35).
    """

    name: ClassVar[str] = "mean-adjusted"
    definition: ClassVar[str] = "R = alpha, the estimation-window mean"

    def design(self, series: Series) -> Design:
        """A constant alone."""
        return Design(None, np.empty((0, len(series.sessions))), constant=True)


@dataclass(frozen=True)
class FactorModel(ExpectedReturnModel):
    r"""Linear factor model.

    .. math::  R_{it} - R_{ft} = \alpha_i + \sum_j \beta_{ij} F_{jt} + \varepsilon_{it}

    Parameters
    ----------
    columns : sequence of str
        Factors, in French's names.
    excess : bool, default True
        Whether ``RF`` is subtracted from the return.
    alpha_zero : bool, default False
        Leave the intercept out, for long windows that must not lean on it (METHODS 3.11).
    label : str
        Name in tables.

    Notes
    -----
    ``capm``: Mkt-RF. ``ff3``: Fama and French (1993, JFE 33). ``carhart``: ff3 and Mom
    (Carhart 1997, JF 52). ``ff5``: Fama and French (2015, JFE 116). ``ff6``: ff5 and Mom
    (Fama and French 2018, JFE 128).
    """

    columns: tuple[str, ...]
    excess: bool = True
    alpha_zero: bool = False
    label: str = "factors"

    def __post_init__(self) -> None:
        columns = (self.columns,) if isinstance(self.columns, str) else tuple(self.columns)
        object.__setattr__(self, "columns", columns)
        if not self.columns or len(set(self.columns)) < len(self.columns):
            raise ParameterError("no factor, or one twice", parameter="columns", value=self.columns)

    @property
    def name(self) -> str:  # type: ignore[override]
        """Name in tables."""
        return self.label

    @property
    def definition(self) -> str:  # type: ignore[override]
        """The regression in one line."""
        left = "R - RF" if self.excess else "R"
        right = " + ".join(f"b_{name} {name}" for name in self.columns)
        return f"{left} = {'' if self.alpha_zero else 'alpha + '}{right}"

    @property
    def constant(self) -> bool:  # type: ignore[override]
        """Whether an intercept is estimated."""
        return not self.alpha_zero

    @property
    def slope_names(self) -> tuple[str, ...]:
        """One slope a factor."""
        return self.columns

    def design(self, series: Series) -> Design:
        """The factors; the risk-free rate is the offset."""
        factors = series.need_factors(self.name)
        offset = factors.select(["RF"], series.sessions)[0] if self.excess else None
        return Design(offset, factors.select(self.columns, series.sessions), constant=self.constant)


@dataclass(frozen=True)
class CapmModel(ExpectedReturnModel):
    r"""CAPM regression, :math:`R - R_f = \alpha + \beta (R_m - R_f) + \varepsilon` (k = 2).

    The market's excess return is French's ``Mkt-RF`` where the factors have it, else the
    market return minus ``RF``.
    """

    name: ClassVar[str] = "capm"
    definition: ClassVar[str] = "R - RF = alpha + beta (R_m - RF)"

    @property
    def slope_names(self) -> tuple[str, ...]:
        """One slope, on the market's excess return."""
        return ("beta",)

    def design(self, series: Series) -> Design:
        """One regressor: the market's excess return."""
        factors = series.need_factors(self.name)
        risk_free = factors.select(["RF"], series.sessions)[0]
        if "Mkt-RF" in factors.names:
            excess = factors.select(["Mkt-RF"], series.sessions)
        else:
            excess = (series.need_market(self.name) - risk_free)[None, :]
        return Design(risk_free, excess, constant=True)


@dataclass(frozen=True)
class ScholesWilliamsModel(MarketModel):
    r"""Market model with the Scholes-Williams beta, for non-synchronous trading.

    .. math::  \beta = \frac{b_{-1} + b_0 + b_{+1}}{1 + 2\rho_m}, \qquad \alpha = \bar R - \beta \bar R_m

    with the slopes of three separate simple regressions on the market one session before,
    on and after, over the same rows, and the market's first autocorrelation on those rows.
    ``sigma`` and the forecast-error factor are those of the least-squares market model and
    only approximate. Source: Scholes and Williams (1977, JFE 5).
    """

    name: ClassVar[str] = "scholes-williams"
    definition: ClassVar[str] = (
        "beta = (b-1 + b0 + b+1)/(1 + 2 rho_m); sigma and C from the OLS market model, approximate"
    )


@dataclass(frozen=True)
class DimsonModel(MarketModel):
    r"""Market model with the Dimson beta: the sum of one multiple regression's lag, same-day and lead slopes.

    Parameters
    ----------
    fowler_rorke : bool, default False
        Weight lag and lead by :math:`w = (1 + \rho_1)/(1 + 2\rho_1)` (Fowler and Rorke 1983, JFE 12).

    Notes
    -----
    ``sigma`` and the forecast-error factor are those of the least-squares market model and
    only approximate. Source: Dimson (1979, JFE 7).
    """

    fowler_rorke: bool = False
    name: ClassVar[str] = "dimson"

    @property
    def definition(self) -> str:  # type: ignore[override]
        """The estimator in one line."""
        weights = "w b-1 + b0 + w b+1, w = (1 + rho)/(1 + 2 rho)" if self.fowler_rorke else "b-1 + b0 + b+1"
        return f"beta = {weights} of one multiple regression; sigma and C from the OLS market model, approximate"


@dataclass(frozen=True)
class VasicekModel(MarketModel):
    r"""Market model with betas shrunk towards the cross-section of the study's own.

    .. math::  \beta_V = \frac{\bar\beta/\sigma^2_\beta + \hat\beta/se^2}{1/\sigma^2_\beta + 1/se^2}, \qquad
               \alpha = \bar R - \beta_V \bar R_m

    Parameters
    ----------
    prior_mean, prior_variance : float, optional
        By default mean and variance (divisor N-1) of the betas of the events of one kind.

    Notes
    -----
    ``sigma`` and the forecast-error factor are those of the least-squares market model.
    Source: Vasicek (1973, Journal of Finance 28).
    """

    prior_mean: float | None = None
    prior_variance: float | None = None
    name: ClassVar[str] = "vasicek"
    definition: ClassVar[str] = "beta shrunk to the cross-section (mean, ddof-1 variance) by its precision"

    def __post_init__(self) -> None:
        if (self.prior_mean is None) != (self.prior_variance is None):
            raise ParameterError("mean and variance of the prior go together", parameter="prior_variance")
        if self.prior_variance is not None and not self.prior_variance > 0:
            raise ParameterError("not a variance", parameter="prior_variance", value=self.prior_variance)


@dataclass(frozen=True)
class BlumeModel(MarketModel):
    r"""Market model with Blume's adjusted beta, :math:`\tfrac13 + \tfrac23 \hat\beta` (Blume 1971, 1975, JF)."""

    name: ClassVar[str] = "blume"
    definition: ClassVar[str] = "beta = 1/3 + 2/3 b; sigma and C from the OLS market model"


@dataclass(frozen=True)
class GarchModel(MarketModel):
    r"""Market model with GARCH(1,1) errors, by Gaussian maximum likelihood.

    .. math::  h_t = \omega + a\,\varepsilon_{t-1}^2 + b\,h_{t-1}, \qquad h_1 = \omega + (a + b)\,SSR_{OLS}/M

    Abnormal returns are standardised by the forecast variance of their day; a CAR's
    variance is the sum of the forecasts (estimation error of the mean is not added). Source:
    Bollerslev (1986, Journal of Econometrics 31).
    """

    name: ClassVar[str] = "garch"
    definition: ClassVar[str] = (
        "R = alpha + beta R_m with GARCH(1,1) errors; standard errors from the forecast variance"
    )


@dataclass(frozen=True)
class MatchedModel(ExpectedReturnModel):
    """Return minus the equal-weighted return of the event firm's group (k = 0).

    Parameters
    ----------
    groups : mapping of ticker to group, or Series indexed by ticker
        Peers are the firms of the same group, without the event firm and without those
        that announce within one session of its day zero; the mean is over the peers with a
        return on the day. Firms in no group, or without a peer left, end in the ledger.

    Notes
    -----
    The variance comes from the estimation-window difference series, uncentred. Source:
    METHODS 2.5.
    """

    groups: Mapping[str, str] = field(hash=False)
    name: ClassVar[str] = "matched"
    definition: ClassVar[str] = "R minus the equal-weighted return of the group without the event firm and announcers"
    constant: ClassVar[bool] = False

    def __post_init__(self) -> None:
        groups = self.groups.to_dict() if isinstance(self.groups, pd.Series) else self.groups
        if not isinstance(groups, Mapping) or not groups:
            raise ParameterError("no groups", parameter="groups", allowed="a mapping of ticker to group")
        object.__setattr__(self, "groups", dict(groups))

    def design(self, series: Series) -> Design:
        """Nothing common to all events; the peers are subtracted event by event."""
        return Design(None, np.empty((0, len(series.sessions))), constant=False)


@dataclass(frozen=True)
class TradeToTradeModel(ExpectedReturnModel):
    r"""Market model on returns from trade to trade, for thinly traded shares.

    .. math::  \frac{R_{t}}{\sqrt{n_t}} = \alpha\sqrt{n_t} + \beta\,\frac{\sum R_{m}}{\sqrt{n_t}} + u_t

    where the log return :math:`R_t` spans the :math:`n_t` sessions since the last trade.
    ``returns`` must then be simple returns *since the last trade*, NaN on sessions without one
    (:func:`research.study.thin_trading.since_last_trade`); ``n_t`` follows from the NaN.
    Abnormal returns are in logs. A window whose first return reaches back before it is
    left out.

    Parameters
    ----------
    max_gap : int, default 10
        As given to ``since_last_trade``. The first return after a longer gap follows a trade
        that the table does not show, so its span is unknown and it is left out.

    Notes
    -----
    Source: Maynes and Rumsey (1993, Journal of Banking and Finance 17).
    """

    max_gap: int = MAX_GAP

    name: ClassVar[str] = "trade-to-trade"
    definition: ClassVar[str] = (
        "log returns since the last trade, weighted by 1/sqrt(n), on the market's over the same span"
    )
    needs_market: ClassVar[bool] = True
    constant: ClassVar[bool] = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "max_gap", whole_number("max_gap", self.max_gap, 1))

    @property
    def slope_names(self) -> tuple[str, ...]:
        """The intercept is the slope on the square root of the sessions spanned."""
        return ("alpha", "beta")

    def design(self, series: Series) -> Design:
        """The market; spans are added firm by firm."""
        return Design(None, series.need_market(self.name)[None, :], constant=False)


_FACTORS = {
    "ff3": ("Mkt-RF", "SMB", "HML"),
    "carhart": ("Mkt-RF", "SMB", "HML", "Mom"),
    "ff5": ("Mkt-RF", "SMB", "HML", "RMW", "CMA"),
    "ff6": ("Mkt-RF", "SMB", "HML", "RMW", "CMA", "Mom"),
}

_BY_NAME: dict[str, ExpectedReturnModel] = {
    "market": MarketModel(),
    "market-adjusted": MarketAdjustedModel(),
    "mean-adjusted": MeanAdjustedModel(),
    "capm": CapmModel(),
    **{name: FactorModel(columns, label=name) for name, columns in _FACTORS.items()},
    "scholes-williams": ScholesWilliamsModel(),
    "dimson": DimsonModel(),
    "vasicek": VasicekModel(),
    "garch": GarchModel(),
    "blume": BlumeModel(),
    "trade-to-trade": TradeToTradeModel(),
}

#: Names that ``EventStudy(model=...)`` accepts.
MODEL_NAMES = tuple(_BY_NAME)


def resolve_model(model: str | ExpectedReturnModel) -> ExpectedReturnModel:
    """Specification for a name, or the specification itself.

    Raises
    ------
    ParameterError
        For an unknown name; the nearest one is suggested.
    """
    if isinstance(model, ExpectedReturnModel):
        return model
    if isinstance(model, str) and model in _BY_NAME:
        return _BY_NAME[model]
    if isinstance(model, type) and issubclass(model, ExpectedReturnModel):
        raise ParameterError(
            "a class, not a model", parameter="model", value=model, remedy=f"{model.__name__}() is one."
        )
    raise ParameterError(
        "unknown expected-return model",
        parameter="model",
        value=model,
        allowed=", ".join(MODEL_NAMES) + ", or a model object such as MatchedModel(groups)",
        remedy=nearest(str(model), MODEL_NAMES) or None,
    )
