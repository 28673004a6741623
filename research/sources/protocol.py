"""What every data source can be asked, and how one is opened by its name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol, runtime_checkable

import pandas as pd

from research.errors import UsageError, nearest
from research.events.announcements import Announcements
from research.market.intraday import Bars
from research.market.prices import Prices
from research.sources._common import EventLike
from research.sources.files import FilesSource
from research.sources.replay import open_snapshot, pinned
from research.sources.sample import SampleSource

__all__ = ["CAPABILITIES", "Source", "open_source", "pinned"]

#: What a source may be able to deliver.
CAPABILITIES = frozenset({"announcements", "prices", "market", "intraday", "factors", "metrics"})

_SOURCES = ("sample", "yahoo", "snapshot:ID", "files:DIR")


@runtime_checkable
class Source(Protocol):
    """Where announcements and prices come from.

    Asking for what is not among ``capabilities`` raises SourceError; asking for a ticker or
    a symbol that the source does not have raises NotFoundError.

    Attributes
    ----------
    name : str
        How the source calls itself in reports; never an absolute path.
    capabilities : frozenset of str
        Which of :data:`CAPABILITIES` it has. ``metrics`` means that the announcements carry
        a metrics table. A source with returns only lacks ``prices``; ``returns`` works for all.
    """

    @property
    def name(self) -> str:
        """Name of the source."""

    @property
    def capabilities(self) -> frozenset[str]:
        """What the source can deliver."""

    @property
    def market_symbol(self) -> str | None:
        """Symbol of the market return that goes with the source; None where it has no own."""

    def announcements(self, tickers: str | Iterable[str] | None = None) -> Announcements:
        """Announcements of these tickers; of all for None."""

    def news(self) -> Announcements:
        """Announcements of every kind, whose results ``announcements`` may leave out."""

    def prices(self, tickers: str | Iterable[str] | None = None) -> Prices:
        """Daily prices of these tickers; of all for None."""

    def returns(self, tickers: str | Iterable[str] | None = None) -> pd.DataFrame:
        """Simple total returns, sessions x tickers, decimals; missing stays NaN."""

    def market_returns(self, symbol: str = "^GSPC") -> pd.Series:
        """Simple returns of a market series, named ``symbol``, on sessions, without NaN."""

    def intraday(self, ticker: str, event: EventLike) -> Bars | None:
        """Bars around an announcement (a row of ``Announcements.frame`` or its date); None without."""

    def factors(self) -> pd.DataFrame:
        """Factor returns on sessions, decimals, one column a factor."""

    def fingerprint(self) -> dict[str, Any]:
        """``source``, ``sha256`` over everything, and ``files`` with the hash of each."""


def open_source(spec: str) -> Source:
    """Open a data source by the name that the command and the notebooks use.

    Parameters
    ----------
    spec : str
        ``sample``; ``yahoo`` for the latest of what `earnings-study fetch` has brought, read offline;
        ``snapshot:ID`` for exactly what it had brought then; or ``files:DIR`` with the path of a folder
        laid out as :class:`research.sources.files.FilesSource` describes.

    Returns
    -------
    Source

    Raises
    ------
    UsageError
        For any other name.
    NotFoundError
        If there is no snapshot of that name.
    SourceError
        If the folder cannot be used, or nothing was fetched yet.
    """
    if spec == "sample":
        return SampleSource()
    if spec == "yahoo":
        return open_snapshot(None)
    kind, colon, directory = spec.partition(":") if isinstance(spec, str) else ("", "", "")
    if kind == "files" and colon and directory.strip():
        return FilesSource(directory)
    if kind == "snapshot" and colon and directory.strip():
        return open_snapshot(directory.strip())
    remedies = {
        "files": "Name the folder after the colon, as in files:my-data.",
        "snapshot": "Name it after the colon; `earnings-study snapshots list` shows them.",
    }
    remedy = remedies.get(kind) or nearest(kind, _SOURCES)
    raise UsageError(
        "no such data source",
        parameter="source",
        value=spec,
        allowed=", ".join(_SOURCES),
        remedy=remedy or None,
    )
