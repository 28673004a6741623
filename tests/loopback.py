"""The services that the package fetches from, played on this machine in their real response shapes.

One server stands for all hosts: ``EARNINGS_STUDY_GATEWAY`` sends ``https://host/path`` to
``http://127.0.0.1:port/host/path``. Faults are put in front of the answers by a pattern.
"""

from __future__ import annotations

import gzip
import html
import io
import json
import re
import socket
import threading
import time
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pandas as pd

from research.events.calendar import TradingCalendar

CRUMB = "Xk2.loop/back"
NEW_YORK = "America/New_York"
_RANGES = ["1d", "5d", "1mo", "3mo", "6mo", "1y", "2y", "5y", "10y", "ytd", "max"]


#: What comes in place of a page where Yahoo first wants to know about cookies.
CONSENT = b"""<!DOCTYPE html><html><head><title>Yahoo is part of the Yahoo family of brands</title></head><body>
<form method="post" class="consent-form" action="/v2/collectConsent?sessionId=3_cc-session">
<input type="hidden" name="csrfToken" value="loop"><input type="hidden" name="sessionId" value="3_cc-session">
<input type="hidden" name="originalDoneUrl" value="https://finance.yahoo.com/calendar/earnings?symbol=META">
<button type="submit" name="agree" value="agree">Accept all</button></form></body></html>"""
PAGE_COLUMNS = ("Symbol", "Company", "Earnings Date", "EPS Estimate", "Reported EPS", "Surprise (%)")


@dataclass
class Company:
    """What Yahoo knows about one security; prices follow from the ticker and nothing else."""

    ticker: str
    instrument: str = "EQUITY"
    zone: str = NEW_YORK
    dividends: dict[str, float] = field(default_factory=dict)  # ex-date -> amount, on today's share basis
    splits: dict[str, tuple[int, int]] = field(default_factory=dict)  # ex-date -> new, old
    rows: list[tuple[str, str, str, str]] = field(default_factory=list)  # text, estimate, reported, surprise
    upcoming: dict | None = None
    trend: list[dict] = field(default_factory=list)
    page_columns: tuple[str, ...] = PAGE_COLUMNS
    rescaled: float = 1.0  # of all prices: what a split after the history does to it
    rewritten: dict[str, float] = field(default_factory=dict)  # date -> close

    def bars(self, sessions: pd.DatetimeIndex) -> pd.DataFrame:
        rng = np.random.default_rng(sum(map(ord, self.ticker)))
        every = TradingCalendar().sessions
        every = every[(every >= "2020-01-01") & (every <= "2035-12-31")]
        close = 100 * np.exp(np.cumsum(rng.normal(0, 0.015, len(every))))
        frame = pd.DataFrame({"close": close}, index=every)
        frame["open"] = frame["close"] * (1 + rng.normal(0, 0.004, len(every)))
        frame["high"] = frame[["open", "close"]].max(axis=1) * 1.004
        frame["low"] = frame[["open", "close"]].min(axis=1) * 0.996
        frame = frame.loc[frame.index.isin(sessions)] / self.rescaled
        frame["volume"] = np.round(1e6 * self.rescaled) + np.arange(len(frame))
        for date, value in self.rewritten.items():
            frame.loc[pd.Timestamp(date), ["open", "high", "low", "close"]] = value
        return frame


@dataclass
class Filing:
    """One filing as EDGAR lists it; ``accepted`` is the New York clock of the SGML header."""

    accession: str
    accepted: str
    filed: str
    items: str = "2.02,9.01"
    form: str = "8-K"
    lying_z: bool = False  # whether the JSON carries the New York clock with a "Z" behind it


@dataclass
class Fault:
    pattern: str
    kind: str
    times: int
    skip: int = 0


class Loopback:
    """State of the played services; tests change it while the server runs."""

    def __init__(self) -> None:
        self.companies: dict[str, Company] = {}
        self.filers: dict[str, tuple[int, list[Filing], list[Filing]]] = {}  # ticker -> cik, recent, older
        self.zips: dict[str, bytes] = {}
        self.faults: list[Fault] = []
        self.requests: list[tuple[float, str, dict[str, str]]] = []
        self.now = pd.Timestamp.now(tz="UTC")
        self.columns_missing: set[str] = set()
        self._lock = threading.Lock()

    def add(self, company: Company) -> Company:
        self.companies[company.ticker] = company
        return company

    def fail(self, pattern: str, kind: str, times: int = 1, skip: int = 0) -> None:
        self.faults.append(Fault(pattern, kind, times, skip))

    def asked(self, pattern: str) -> list[str]:
        return [path for _, path, _ in self.requests if re.search(pattern, path)]

    def fault(self, path: str) -> str | None:
        with self._lock:
            for fault in self.faults:
                if re.search(fault.pattern, path) and fault.times:
                    if fault.skip:
                        fault.skip -= 1
                        continue
                    fault.times -= 1
                    return fault.kind
        return None

    @contextmanager
    def serving(self):
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            server.server_close()

    # --- Yahoo ----------------------------------------------------------------------------

    def chart(self, ticker: str, query: dict[str, list[str]]) -> tuple[int, dict]:
        company = self.companies.get(ticker)
        if company is None:
            error = {"code": "Not Found", "description": "No data found, symbol may be delisted"}
            return 404, {"chart": {"result": None, "error": error}}
        calendar = TradingCalendar()
        started = int(calendar.opens.searchsorted(self.now))
        sessions, opens = calendar.sessions[:started], calendar.opens[:started]
        if "period1" in query:
            first, last = (pd.Timestamp(int(query[name][0]), unit="s", tz="UTC") for name in ("period1", "period2"))
        else:
            first, last = opens[-1], self.now
        inside = (opens >= first) & (opens < last) & (sessions >= "2020-01-01")
        sessions, opens = sessions[inside], opens[inside]
        interval = query["interval"][0]
        bars = company.bars(sessions)
        stamps = opens
        if interval == "1m":
            stamps, bars = _minutes(sessions, bars, self.now)
        trading = {"timezone": "EST", "start": 0, "end": 0, "gmtoffset": -18000}
        meta = {
            "currency": "USD", "symbol": ticker, "exchangeName": "NMS", "fullExchangeName": "NasdaqGS",
            "instrumentType": company.instrument, "firstTradeDate": 345479400,
            "regularMarketTime": int(self.now.timestamp()), "hasPrePostMarketData": True, "gmtoffset": -18000,
            "timezone": "EST", "exchangeTimezoneName": company.zone, "regularMarketPrice": 100.0, "priceHint": 2,
            "currentTradingPeriod": {"pre": trading, "regular": trading, "post": trading},
            "dataGranularity": interval, "range": "", "validRanges": _RANGES,
        }  # fmt: skip
        quote = {name: [float(v) for v in bars[name]] for name in ("open", "high", "low", "close", "volume")}
        for name in self.columns_missing:
            quote.pop(name, None)
        result = {"meta": meta, "timestamp": [int(s.timestamp()) for s in stamps], "indicators": {"quote": [quote]}}
        if interval == "1d":
            result["indicators"]["adjclose"] = [{"adjclose": quote.get("close", [])}]
            events = self._events(company, sessions, opens)
            if events:
                result["events"] = events
        if not len(stamps):
            result = {"meta": meta, "indicators": {"quote": [{}], "adjclose": [{}]}}
        return 200, {"chart": {"result": [result], "error": None}}

    @staticmethod
    def _events(company: Company, sessions: pd.DatetimeIndex, opens: pd.DatetimeIndex) -> dict:
        stamp = {f"{s:%Y-%m-%d}": int(o.timestamp()) for s, o in zip(sessions, opens, strict=True)}
        dividends = {str(stamp[d]): {"amount": a, "date": stamp[d]} for d, a in company.dividends.items() if d in stamp}
        splits = {
            str(stamp[d]): {"date": stamp[d], "numerator": float(n), "denominator": float(o), "splitRatio": f"{n}:{o}"}
            for d, (n, o) in company.splits.items()
            if d in stamp
        }
        return {name: found for name, found in (("dividends", dividends), ("splits", splits)) if found}

    def page(self, query: dict[str, list[str]]) -> str:
        company = self.companies.get(query["symbol"][0])
        offset, size = int(query["offset"][0]), int(query["size"][0])
        rows = company.rows[offset : offset + size] if company else []
        if not rows:
            return (
                "<!DOCTYPE html><html><head><title>Company Earnings Calendar - Yahoo Finance</title></head>"
                "<body><h1>Earnings</h1><p>We couldn't find any results.</p></body></html>"
            )
        cells = [(company.ticker, f"{company.ticker} Inc. & Co.", *row) for row in rows]
        head = "".join(f"<th><span>{html.escape(name)}</span></th>" for name in company.page_columns)
        body = "".join("<tr>" + "".join(f'<td class="x">{html.escape(c)}</td>' for c in row) + "</tr>" for row in cells)
        return (
            "<!DOCTYPE html><html><head><title>Earnings</title></head><body><div>"
            f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div></body></html>"
        )

    def summary(self, ticker: str) -> dict:
        company = self.companies[ticker]
        result = {
            "calendarEvents": {"maxAge": 1, "earnings": company.upcoming or {"earningsDate": []}},
            "earningsTrend": {"trend": company.trend, "maxAge": 1},
        }
        return {"quoteSummary": {"result": [result], "error": None}}

    # --- SEC ------------------------------------------------------------------------------

    def submissions(self, name: str) -> dict | None:
        for ticker, (cik, recent, older) in self.filers.items():
            if name == f"CIK{cik:010d}.json":
                name = f"CIK{cik:010d}-submissions-001.json"
                dates = [filing.filed for filing in older]
                files = (
                    [{"name": name, "filingCount": len(older), "filingFrom": min(dates), "filingTo": max(dates)}]
                    if older
                    else []
                )
                return {
                    "cik": f"{cik:010d}", "name": f"{ticker} INC", "tickers": [ticker],
                    "filings": {"recent": _columns(recent), "files": files},
                }  # fmt: skip
            if name == f"CIK{cik:010d}-submissions-001.json":
                return _columns(older)
        return None

    def header(self, path: str) -> str | None:
        for _, recent, older in self.filers.values():
            for filing in [*recent, *older]:
                if path.endswith(f"/{filing.accession}.txt"):
                    day = filing.filed.replace("-", "")
                    return (
                        f"<SEC-DOCUMENT>{filing.accession}.txt : {day}\n"
                        f"<SEC-HEADER>{filing.accession}.hdr.sgml : {day}\n"
                        f"<ACCEPTANCE-DATETIME>{filing.accepted}\nACCESSION NUMBER:\t\t{filing.accession}\n"
                        f"CONFORMED SUBMISSION TYPE:\t{filing.form}\nFILED AS OF DATE:\t\t{day}\n</SEC-HEADER>\n"
                        "<DOCUMENT>\n<TYPE>8-K\n<TEXT>FILED AS OF DATE: 19990101</TEXT>\n</DOCUMENT>\n</SEC-DOCUMENT>\n"
                    )
                if path.endswith(f"/{filing.accession}.hdr.sgml"):
                    day = filing.filed.replace("-", "")
                    return (
                        f"<SEC-HEADER>{filing.accession}.hdr.sgml : {day}\n<ACCEPTANCE-DATETIME>{filing.accepted}\n"
                        f"<ACCESSION-NUMBER>{filing.accession}\n<TYPE>{filing.form}\n<ITEMS>2.02\n"
                        f"<FILING-DATE>{day}\n</SEC-HEADER>\n"
                    )
        return None


def _minutes(
    sessions: pd.DatetimeIndex, bars: pd.DataFrame, now: pd.Timestamp
) -> tuple[pd.DatetimeIndex, pd.DataFrame]:
    stamps = [
        pd.date_range(f"{day:%Y-%m-%d} 04:00", f"{day:%Y-%m-%d} 19:59", freq="5min", tz=NEW_YORK) for day in sessions
    ]
    flat = pd.DatetimeIndex([s for day in stamps for s in day]).tz_convert("UTC") if stamps else pd.DatetimeIndex([])
    flat = flat[flat < now]
    days = flat.tz_convert(NEW_YORK).tz_localize(None).normalize()
    return flat, bars.loc[days] if len(flat) else bars.iloc[:0]


def _columns(filings: list[Filing]) -> dict[str, list]:
    def stamp(filing: Filing) -> str:
        wall = pd.Timestamp(filing.accepted)
        moment = wall if filing.lying_z else wall.tz_localize(NEW_YORK).tz_convert("UTC")
        return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")

    return {
        "accessionNumber": [f.accession for f in filings],
        "filingDate": [f.filed for f in filings],
        "reportDate": [f.filed for f in filings],
        "acceptanceDateTime": [stamp(f) for f in filings],
        "form": [f.form for f in filings],
        "items": [f.items for f in filings],
        "primaryDocument": ["d8k.htm" for _ in filings],
    }


def zipped(name: str, text: str) -> bytes:
    """A zip with one file, as French's library packs them."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, text)
    return buffer.getvalue()


def _handler(state: Loopback) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet: two would wait for each other's acknowledgement

        def log_message(self, *args) -> None:
            pass

        def do_GET(self) -> None:
            state.requests.append((time.monotonic(), self.path, dict(self.headers)))
            kind = state.fault(self.path)
            if kind == "hang":
                time.sleep(3)
                self.close_connection = True
            elif kind == "reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
                self.close_connection = True
                self.connection.close()
            elif kind == "429":
                self._send(429, b"Too Many Requests\r\n", "text/plain", {"Retry-After": "2"})
            elif kind == "500":
                self._send(500, b"<html><body>Internal Server Error</body></html>", "text/html")
            elif kind == "html":
                self._send(200, CONSENT, "text/html")
            elif kind == "other":
                self._send(200, b"<!DOCTYPE html><html><body>Sign in to continue</body></html>", "text/html")
            elif kind == "threshold":
                page = (
                    b"<html><head><title>SEC.gov | Request Rate Threshold Exceeded</title></head><body></body></html>"
                )
                self._send(403, page, "text/html")
            elif kind == "missing":
                self._send(404, b"<?xml version='1.0'?><Error><Code>NoSuchKey</Code></Error>", "application/xml")
            elif kind == "refuse":
                error = {"code": "Bad Request", "description": "Data doesn't exist for startDate = 1, endDate = 2"}
                body = json.dumps({"chart": {"result": None, "error": error}}).encode()
                self._send(400, body, "application/json")
            elif kind == "down":
                self._send(200, b"<html><body>Will be right back...</body></html>", "text/html")
            elif kind == "truncate":
                status, body, mime = self._answer()
                self._send(status, body, mime, length=len(body) + 999)
                self.close_connection = True
            elif kind == "empty":
                self._send(200, b'{"chart":{"result":[],"error":null}}', "application/json")
            else:
                status, body, mime = self._answer()
                extra = {"Set-Cookie": "A3=d=loop; Path=/; Max-Age=31557600"} if "/fc.yahoo.com" in self.path else {}
                if "gzip" in self.headers.get("Accept-Encoding", "") and "sec.gov" in self.path:
                    body, extra = gzip.compress(body, mtime=0), {**extra, "Content-Encoding": "gzip"}
                self._send(status, body, mime, extra)

        def _answer(self) -> tuple[int, bytes, str]:
            url = urlsplit(self.path)
            query = parse_qs(url.query)
            host, _, path = url.path.lstrip("/").partition("/")
            if host == "fc.yahoo.com":
                return 404, b"", "text/html"
            if path == "v1/test/getcrumb":
                known = "A3=" in self.headers.get("Cookie", "")
                return (200, CRUMB.encode(), "text/plain") if known else (401, b"", "text/plain")
            if path.startswith("v8/finance/chart/"):
                status, content = state.chart(path.rpartition("/")[2].replace("%5E", "^"), query)
                return status, json.dumps(content).encode(), "application/json"
            if path.startswith("v10/finance/quoteSummary/"):
                if query.get("crumb") != [CRUMB] or "A3=" not in self.headers.get("Cookie", ""):
                    error = {
                        "finance": {"result": None, "error": {"code": "Unauthorized", "description": "Invalid Crumb"}}
                    }
                    return 401, json.dumps(error).encode(), "application/json"
                if path.rpartition("/")[2] not in state.companies:
                    error = {
                        "quoteSummary": {
                            "result": None,
                            "error": {"code": "Not Found", "description": "Quote not found"},
                        }
                    }
                    return 404, json.dumps(error).encode(), "application/json"
                return 200, json.dumps(state.summary(path.rpartition("/")[2])).encode(), "application/json"
            if path == "calendar/earnings":
                return 200, state.page(query).encode(), "text/html; charset=utf-8"
            if host.endswith("sec.gov"):
                return self._sec(host, path)
            if path.rpartition("/")[2] in state.zips:
                return 200, state.zips[path.rpartition("/")[2]], "application/zip"
            return 404, b"<html><body>Not Found</body></html>", "text/html"

        def _sec(self, host: str, path: str) -> tuple[int, bytes, str]:
            if "@" not in self.headers.get("User-Agent", ""):
                return (
                    403,
                    b"<html><body>Your Request Originates from an Undeclared Automated Tool</body></html>",
                    "text/html",
                )
            if path == "files/company_tickers.json":
                listed = {
                    str(i): {"cik_str": cik, "ticker": ticker, "title": f"{ticker} INC"}
                    for i, (ticker, (cik, _, _)) in enumerate(state.filers.items())
                }
                return 200, json.dumps(listed).encode(), "application/json"
            if path.startswith("submissions/"):
                found = state.submissions(path.removeprefix("submissions/"))
                if found:
                    return 200, json.dumps(found).encode(), "application/json"
            header = state.header(path)
            return (200, header.encode(), "text/plain") if header else (404, b"<html>NoSuchKey</html>", "text/html")

        def _send(
            self, status: int, body: bytes, mime: str, extra: dict[str, str] | None = None, length: int | None = None
        ) -> None:
            self.send_response(status)
            self.send_header("Content-Type", mime)
            self.send_header("Content-Length", str(len(body) if length is None else length))
            for name, value in (extra or {}).items():
                self.send_header(name, value)
            self.end_headers()
            try:
                self.wfile.write(body)
            except OSError:  # the client was killed
                self.close_connection = True

    return Handler
