"""Earnings-call event studies: exact instants, honest statistics, reports that can be trusted.

>>> import research as es
>>> events = es.sample.announcements()
>>> study = es.EventStudy(events, es.sample.prices().returns(), market=es.sample.market_returns())
>>> results = study.fit()
"""

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
