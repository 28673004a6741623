"""Earnings-call event studies: exact instants, honest statistics, reports that can be trusted.

>>> import research as es
>>> events = es.sample.announcements()
>>> study = es.EventStudy(events, es.sample.prices().returns(), market=es.sample.market_returns())
>>> results = study.fit()

The public names are loaded when first used, so that ``earnings-study --help`` does not
wait for pandas.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from research.analysis.beats import beat_but_dip
    from research.analysis.bootstrap import wild_cluster_bootstrap
    from research.analysis.comparison import compare
    from research.analysis.drift import post_announcement_drift
    from research.analysis.period_regressions import fama_macbeth
    from research.analysis.portfolios import calendar_time, sefcik_thompson
    from research.analysis.regressions import regress
    from research.analysis.response import arctan_response, quantile_regressions
    from research.analysis.robustness import placebo, romano_wolf, specification_curve
    from research.analysis.simulation import simulate, validate
    from research.errors import (
        CalendarRangeError,
        ExcludedError,
        InputError,
        NotFoundError,
        ParameterError,
        ReportError,
        ResearchError,
        ResearchWarning,
        SourceError,
        UsageError,
    )
    from research.events import surprises
    from research.events.announcements import Announcements
    from research.events.calendar import TradingCalendar
    from research.market.factors import FactorReturns
    from research.market.intraday import Bars
    from research.market.prices import Prices
    from research.sources import sample
    from research.sources.protocol import open_source
    from research.study.activity import abnormal_volume, average_u, average_volume, beaver_u
    from research.study.models import (
        BlumeModel,
        CapmModel,
        DimsonModel,
        FactorModel,
        GarchModel,
        MarketAdjustedModel,
        MarketModel,
        MatchedModel,
        MeanAdjustedModel,
        ScholesWilliamsModel,
        TradeToTradeModel,
        VasicekModel,
    )
    from research.study.results import EventStudyResults
    from research.study.study import EventStudy
    from research.study.thin_trading import since_last_trade

__version__ = "0.1.0"

#: Module of each public name; a module itself stands for its own name.
_HOMES = {
    "Announcements": "research.events.announcements",
    "Bars": "research.market.intraday",
    "BlumeModel": "research.study.models",
    "CalendarRangeError": "research.errors",
    "CapmModel": "research.study.models",
    "DimsonModel": "research.study.models",
    "EventStudy": "research.study.study",
    "EventStudyResults": "research.study.results",
    "ExcludedError": "research.errors",
    "FactorModel": "research.study.models",
    "FactorReturns": "research.market.factors",
    "GarchModel": "research.study.models",
    "InputError": "research.errors",
    "MarketAdjustedModel": "research.study.models",
    "MarketModel": "research.study.models",
    "MatchedModel": "research.study.models",
    "MeanAdjustedModel": "research.study.models",
    "NotFoundError": "research.errors",
    "ParameterError": "research.errors",
    "Prices": "research.market.prices",
    "ReportError": "research.errors",
    "ResearchError": "research.errors",
    "ResearchWarning": "research.errors",
    "ScholesWilliamsModel": "research.study.models",
    "SourceError": "research.errors",
    "TradeToTradeModel": "research.study.models",
    "TradingCalendar": "research.events.calendar",
    "UsageError": "research.errors",
    "VasicekModel": "research.study.models",
    "abnormal_volume": "research.study.activity",
    "arctan_response": "research.analysis.response",
    "average_u": "research.study.activity",
    "average_volume": "research.study.activity",
    "beat_but_dip": "research.analysis.beats",
    "beaver_u": "research.study.activity",
    "calendar_time": "research.analysis.portfolios",
    "compare": "research.analysis.comparison",
    "fama_macbeth": "research.analysis.period_regressions",
    "open_source": "research.sources.protocol",
    "placebo": "research.analysis.robustness",
    "post_announcement_drift": "research.analysis.drift",
    "quantile_regressions": "research.analysis.response",
    "regress": "research.analysis.regressions",
    "romano_wolf": "research.analysis.robustness",
    "sample": "research.sources.sample",
    "sefcik_thompson": "research.analysis.portfolios",
    "simulate": "research.analysis.simulation",
    "since_last_trade": "research.study.thin_trading",
    "specification_curve": "research.analysis.robustness",
    "surprises": "research.events.surprises",
    "validate": "research.analysis.simulation",
    "wild_cluster_bootstrap": "research.analysis.bootstrap",
}

__all__ = [
    "Announcements",
    "Bars",
    "BlumeModel",
    "CalendarRangeError",
    "CapmModel",
    "DimsonModel",
    "EventStudy",
    "EventStudyResults",
    "ExcludedError",
    "FactorModel",
    "FactorReturns",
    "GarchModel",
    "InputError",
    "MarketAdjustedModel",
    "MarketModel",
    "MatchedModel",
    "MeanAdjustedModel",
    "NotFoundError",
    "ParameterError",
    "Prices",
    "ReportError",
    "ResearchError",
    "ResearchWarning",
    "ScholesWilliamsModel",
    "SourceError",
    "TradeToTradeModel",
    "TradingCalendar",
    "UsageError",
    "VasicekModel",
    "abnormal_volume",
    "arctan_response",
    "average_u",
    "average_volume",
    "beat_but_dip",
    "beaver_u",
    "calendar_time",
    "compare",
    "fama_macbeth",
    "open_source",
    "placebo",
    "post_announcement_drift",
    "quantile_regressions",
    "regress",
    "romano_wolf",
    "sample",
    "sefcik_thompson",
    "simulate",
    "since_last_trade",
    "specification_curve",
    "surprises",
    "validate",
    "wild_cluster_bootstrap",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'research' has no attribute {name!r}")
    home = importlib.import_module(_HOMES[name])
    value = home if _HOMES[name].endswith(f".{name}") else getattr(home, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Public names, and the module's own with underscores: what tab completion offers."""
    return sorted({*_HOMES, *(name for name in globals() if name.startswith("__"))})
