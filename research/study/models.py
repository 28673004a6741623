"""Expected-return models: frozen specifications that say what a return is compared with.

A model does no estimation. It turns the market and factor series into a
:class:`Design` (what is subtracted from the return, and what the rest is
regressed on), which the kernels of :mod:`research.study.estimation` work off.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from research.errors import ParameterError, nearest

Floats = NDArray[np.float64]


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

    def design(self, sessions: pd.DatetimeIndex, market: Floats | None) -> Design:
        """The series that the kernels work on.

        Parameters
        ----------
        sessions : DatetimeIndex of length n_sessions
        market : ndarray of shape (n_sessions,) or None
            Simple market return, decimals.
        """
        raise NotImplementedError

    def _market(self, market: Floats | None) -> Floats:
        if market is None:
            raise ParameterError(
                f"the model {self.name!r} needs a market return",
                parameter="market",
                remedy="Pass market= as a Series of simple returns or as a column name of `returns`.",
            )
        return market


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

    def design(self, sessions: pd.DatetimeIndex, market: Floats | None) -> Design:
        """One regressor: the market return."""
        return Design(None, self._market(market)[None, :], constant=True)


@dataclass(frozen=True)
class MarketAdjustedModel(ExpectedReturnModel):
    r"""Market-adjusted return, ``AR = R - R_m``; nothing is estimated (k = 0).

    Its variance is uncentred, :math:`s^2 = \sum AR^2 / M`, so that the general
    theory with an empty regressor matrix applies and C is the identity.

    Source: Brown and Warner (1985, Journal of Financial Economics 14).
    """

    name: ClassVar[str] = "market-adjusted"
    constant: ClassVar[bool] = False
    definition: ClassVar[str] = "R - R_m; s^2 = mean of squared AR, uncentred"
    needs_market: ClassVar[bool] = True

    def design(self, sessions: pd.DatetimeIndex, market: Floats | None) -> Design:
        """No regressor; the market return is the offset."""
        return Design(self._market(market), np.empty((0, len(sessions))), constant=False)


@dataclass(frozen=True)
class MeanAdjustedModel(ExpectedReturnModel):
    r"""Constant mean return, :math:`R_{it} = \alpha_i + \varepsilon_{it}` (k = 1).

    Source: Brown and Warner (1980, Journal of Financial Economics 8); MacKinlay (1997, JEL 35).
    """

    name: ClassVar[str] = "mean-adjusted"
    definition: ClassVar[str] = "R = alpha, the estimation-window mean"

    def design(self, sessions: pd.DatetimeIndex, market: Floats | None) -> Design:
        """A constant alone."""
        return Design(None, np.empty((0, len(sessions))), constant=True)


_BY_NAME: dict[str, type[ExpectedReturnModel]] = {
    model.name: model for model in (MarketModel, MarketAdjustedModel, MeanAdjustedModel)
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
        return _BY_NAME[model]()
    raise ParameterError(
        "unknown expected-return model",
        parameter="model",
        value=model,
        allowed=", ".join(MODEL_NAMES) + ", or a model object",
        remedy=nearest(str(model), MODEL_NAMES) or None,
    )
