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
    from research.errors import (
        CalendarRangeError,
        InputError,
        NotFoundError,
        ParameterError,
        ReportError,
        ResearchError,
        ResearchWarning,
        SourceError,
        UsageError,
    )
    from research.events.announcements import Announcements
    from research.events.calendar import TradingCalendar
    from research.market.intraday import Bars
    from research.market.prices import Prices
    from research.sources import sample
    from research.sources.protocol import open_source
    from research.study.models import MarketAdjustedModel, MarketModel, MeanAdjustedModel
    from research.study.results import EventStudyResults
    from research.study.study import EventStudy

__version__ = "0.1.0"

#: Module of each public name; a module itself stands for its own name.
_HOMES = {
    "Announcements": "research.events.announcements",
    "Bars": "research.market.intraday",
    "CalendarRangeError": "research.errors",
    "EventStudy": "research.study.study",
    "EventStudyResults": "research.study.results",
    "InputError": "research.errors",
    "MarketAdjustedModel": "research.study.models",
    "MarketModel": "research.study.models",
    "MeanAdjustedModel": "research.study.models",
    "NotFoundError": "research.errors",
    "ParameterError": "research.errors",
    "Prices": "research.market.prices",
    "ReportError": "research.errors",
    "ResearchError": "research.errors",
    "ResearchWarning": "research.errors",
    "SourceError": "research.errors",
    "TradingCalendar": "research.events.calendar",
    "UsageError": "research.errors",
    "open_source": "research.sources.protocol",
    "sample": "research.sources.sample",
}

__all__ = [
    "Announcements",
    "Bars",
    "CalendarRangeError",
    "EventStudy",
    "EventStudyResults",
    "InputError",
    "MarketAdjustedModel",
    "MarketModel",
    "MeanAdjustedModel",
    "NotFoundError",
    "ParameterError",
    "Prices",
    "ReportError",
    "ResearchError",
    "ResearchWarning",
    "SourceError",
    "TradingCalendar",
    "UsageError",
    "open_source",
    "sample",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'research' has no attribute {name!r}")
    home = importlib.import_module(_HOMES[name])
    value = home if _HOMES[name].endswith(f".{name}") else getattr(home, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
