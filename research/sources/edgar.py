"""SEC EDGAR: when the 8-K with the results (item 2.02) was accepted, and when it became public.

The acceptance is an upper bound of the release: the wire is first, by minutes or, where the
company files later in the day, by hours. The instant is read from the filing's SGML header,
which is New York time. The "Z" of the submissions JSON is not trusted: for some filers
it stands behind the New York clock. A filing accepted after 17:30 carries the date of the next
business day and is public on that morning, so its date counts, not its stamp.

Needs ``EARNINGS_STUDY_SEC_CONTACT``, a name and an e-mail address, which the SEC asks of every
program; it is sent to the SEC and written nowhere.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable
from typing import Any

import pandas as pd

from research.errors import SourceError, UsageError
from research.sources._http import NotThereError, Pace, get
from research.sources._retry import Budget, Retry, TransientError
from research.sources._vintages import Vintage

SOURCE = "edgar"
CONTACT = "EARNINGS_STUDY_SEC_CONTACT"
NEW_YORK = "America/New_York"
#: The SEC permits ten requests a second.
MOST_PER_SECOND = 10
#: Filings accepted after 17:30 carry the date of the next business day and are public from six on.
DISSEMINATION = pd.Timedelta(hours=6)

_TICKERS = "https://www.sec.gov/files/company_tickers.json"
_SUBMISSIONS = "https://data.sec.gov/submissions/"
_ARCHIVES = "https://www.sec.gov/Archives/edgar/data"
#: Results of operations and financial condition: 2.02, which was item 12 until August 2004.
_ITEMS = frozenset({"2.02", "12"})
_ACCEPTED = re.compile(r"<ACCEPTANCE-DATETIME>\s*(\d{14})")
_FILED = re.compile(r"(?:<FILING-DATE>|FILED AS OF DATE:)\s*(\d{8})")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_FIELDS = ("accessionNumber", "filingDate", "acceptanceDateTime", "form", "items")

COLUMNS = ("accession", "accepted_at", "filed_on", "public_at", "json_clock")


def contact() -> str:
    """Who asks, from the environment.

    Raises
    ------
    UsageError
        If it is missing or has no e-mail address.
    """
    given = " ".join(os.environ.get(CONTACT, "").split())
    if not _EMAIL.search(given):
        raise UsageError(
            "the SEC wants to know who asks" if not given else "there is no e-mail address in it",
            parameter=CONTACT,
            allowed="a name and an e-mail address, such as 'Jane Doe jane@example.com'",
            remedy="Set this environment variable; without it nothing is asked of EDGAR.",
        )
    return given


class EdgarClient:
    """Asks EDGAR for one company after the other, at most ten times a second.

    Parameters
    ----------
    budget : Budget
    retry : Retry, optional
    timeout : float
    sleep, clock : callable
        For the rate.
    tell : callable

    Raises
    ------
    UsageError
        Without a contact in the environment.
    """

    def __init__(
        self,
        budget: Budget,
        retry: Retry | None = None,
        *,
        timeout: float = 30.0,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        tell: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._headers = {"User-Agent": f"earnings-event-study {contact()}"}
        self._budget, self._retry, self._timeout, self._tell = budget, retry or Retry(), timeout, tell
        self._pace = Pace(1.1 / MOST_PER_SECOND, sleep, clock)
        self._ciks: dict[str, int] | None = None

    def __repr__(self) -> str:
        return "EdgarClient()"

    def fetch(
        self, ticker: str, start: str, earlier: list[Vintage] | None = None
    ) -> tuple[dict[str, pd.DataFrame], dict[str, Any], dict[str, str]]:
        """Acceptances of all 8-K filings with item 2.02 (12 before August 2004) since ``start``.

        Amendments (8-K/A) are left out. Headers never change: those that earlier vintages know are not asked for again.

        Returns
        -------
        tables : dict of str to DataFrame
            ``acceptances``: ``accession``, ``accepted_at`` (UTC, from the header), ``filed_on`` (date),
            ``public_at`` (UTC), ``json_clock`` (``utc``, ``new-york`` or ``neither``: what the "Z" of
            the JSON really was).
        facts, incomplete : dict

        Raises
        ------
        SourceError
            If EDGAR has no such company, or does not deliver.
        """
        cik = self._cik(ticker)
        known = _known(earlier or [])
        rows = []
        for filing in self._filings(cik, pd.Timestamp(start)):
            row = known.get(filing["accessionNumber"])
            rows.append(row if row is not None else self._acceptance(cik, filing))
        frame = pd.DataFrame(rows, columns=list(COLUMNS))
        for name in ("accepted_at", "public_at"):
            frame[name] = pd.to_datetime(frame[name], utc=True).dt.as_unit("ns")
        frame["filed_on"] = pd.to_datetime(frame["filed_on"]).dt.as_unit("ns")
        for name in ("accession", "json_clock"):
            frame[name] = frame[name].astype(object)
        frame = frame.sort_values(["accepted_at", "accession"], ignore_index=True)
        return {"acceptances": frame}, {"cik": cik}, {}

    def _get(self, url: str) -> str:
        def once() -> str:
            self._pace.wait()
            body = get(url, service="EDGAR", budget=self._budget, timeout=self._timeout, headers=self._headers)
            return body.decode("utf-8", errors="replace")

        return self._retry.call(once, self._budget, self._tell)

    def _json(self, url: str) -> Any:
        def parsed() -> Any:
            self._pace.wait()
            body = get(url, service="EDGAR", budget=self._budget, timeout=self._timeout, headers=self._headers)
            try:
                return json.loads(body)
            except ValueError as error:
                raise TransientError("EDGAR did not answer with data where data was due") from error

        return self._retry.call(parsed, self._budget, self._tell)

    def _cik(self, ticker: str) -> int:
        if self._ciks is None:
            listed = self._json(_TICKERS)
            try:
                self._ciks = {str(entry["ticker"]).upper(): int(entry["cik_str"]) for entry in listed.values()}
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                raise _changed() from error
        if ticker.upper() not in self._ciks:
            raise SourceError(
                "EDGAR knows no company of this ticker", remedy="Funds, indices and foreign issuers file no 8-K."
            )
        return self._ciks[ticker.upper()]

    def _filings(self, cik: int, start: pd.Timestamp) -> list[dict[str, str]]:
        """Original 8-K filings with item 2.02 since ``start``, from all parts of the list."""
        name = f"CIK{cik:010d}.json"
        try:
            top = self._json(_SUBMISSIONS + name)
        except NotThereError as error:
            raise SourceError(f"EDGAR has no filings of CIK {cik}") from error
        try:
            parts = [top["filings"]["recent"]]
            for entry in top["filings"]["files"]:
                if pd.Timestamp(entry.get("filingTo", "2100-01-01")) >= start:
                    parts.append(self._json(_SUBMISSIONS + entry["name"]))
            rows = [
                dict(zip(_FIELDS, row, strict=True))
                for part in parts
                for row in zip(*(part[field] for field in _FIELDS), strict=True)
            ]
            return [
                row
                for row in rows
                if row["form"] == "8-K"
                and not _ITEMS.isdisjoint(item.strip() for item in row["items"].split(","))
                and pd.Timestamp(row["filingDate"]) >= start
            ]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise _changed() from error

    def _header(self, cik: int, accession: str) -> str:
        """The SGML header: a file of its own, or, where a filing has none, the beginning of the whole submission."""
        folder = f"{_ARCHIVES}/{cik}/{accession.replace('-', '')}"
        try:
            return self._get(f"{folder}/{accession}.hdr.sgml")
        except NotThereError:
            return self._get(f"{folder}/{accession}.txt").partition("</SEC-HEADER>")[0]

    def _acceptance(self, cik: int, filing: dict[str, str]) -> dict[str, Any]:
        accession = filing["accessionNumber"]
        header = self._header(cik, accession)
        accepted, filed = _ACCEPTED.search(header), _FILED.search(header)
        if not accepted:
            raise SourceError(f"the header of filing {accession} has no <ACCEPTANCE-DATETIME>")
        wall = pd.Timestamp(accepted[1])
        day = pd.Timestamp(filed[1] if filed else filing["filingDate"])
        stamp = pd.Timestamp(filing["acceptanceDateTime"]).tz_localize(None)
        instant = wall.tz_localize(NEW_YORK, ambiguous=False, nonexistent="shift_forward").tz_convert("UTC")
        clock = "utc" if stamp == instant.tz_localize(None) else "new-york" if stamp == wall else "neither"
        return {
            "accession": accession,
            "accepted_at": instant,
            "filed_on": day,
            "public_at": public_at(wall, day),
            "json_clock": clock,
        }


def public_at(accepted: pd.Timestamp, filed_on: pd.Timestamp) -> pd.Timestamp:
    """Instant, in UTC, from which a filing could be read.

    Parameters
    ----------
    accepted : Timestamp
        Acceptance on the New York clock, naive.
    filed_on : Timestamp
        Filing date.

    Returns
    -------
    Timestamp
        The acceptance; six in the morning of the filing date where that is a later day than the
        acceptance, as it is after 17:30.

    Notes
    -----
    The stamp of the evening is when EDGAR took the filing in, not when anyone could read it: taken for
    the announcement it would date it a day early.
    """
    wall = accepted if filed_on <= accepted.normalize() else filed_on + DISSEMINATION
    return wall.tz_localize(NEW_YORK, ambiguous=False, nonexistent="shift_forward").tz_convert("UTC")


def _known(earlier: list[Vintage]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for vintage in earlier[-1:]:
        if vintage.has("acceptances"):
            rows = vintage.frame("acceptances").to_dict("records")
            found |= {str(row["accession"]): {str(name): value for name, value in row.items()} for row in rows}
    return found


def _changed() -> SourceError:
    return SourceError(
        "EDGAR's answer has another shape than before", remedy="Fetch without --source edgar until then."
    )
