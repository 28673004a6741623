"""Plain GET requests, with every way in which the network fails turned into one clear error.

``EARNINGS_STUDY_GATEWAY`` may name a relay for networks without a way out of their own:
``https://host/path`` is then asked for as ``<gateway>/host/path``.
"""

from __future__ import annotations

import email.utils
import gzip
import http.client
import os
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from urllib.parse import urlsplit

from research.errors import SourceError, UsageError
from research.sources._retry import Budget, TransientError

GATEWAY = "EARNINGS_STUDY_GATEWAY"

_CHUNK = 1 << 16
#: No answer asked for here is anywhere near as long.
_LONGEST = 200 << 20
_MISSING = frozenset({404, 410})
#: Words on the page that the SEC answers with (HTTP 403) to whoever asks too often, for ten minutes.
_PENALTY = "600"
_TOO_FAST = b"request rate threshold exceeded"
_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})


class NotThereError(SourceError):
    """The service has no such document."""


def routed(url: str) -> str:
    """The address under which a URL is asked for: its own, or that behind the gateway.

    Raises
    ------
    UsageError
        If the gateway is no http address.
    """
    gateway = os.environ.get(GATEWAY, "").strip().rstrip("/")
    if not gateway or url.startswith(f"{gateway}/"):
        return url
    if urlsplit(gateway).scheme not in ("http", "https"):
        raise UsageError("the gateway is no address", parameter=GATEWAY, value=gateway, allowed="http(s)://host[:port]")
    return f"{gateway}/{url.partition('://')[2]}"


def get(
    url: str,
    *,
    service: str,
    budget: Budget,
    timeout: float = 30.0,
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """Body of a document, complete and decompressed.

    Parameters
    ----------
    url : str
    service : str
        Who answers, for messages.
    budget : Budget
        Ends a transfer that trickles on.
    timeout : float
        Seconds without a sign of life.
    headers : mapping, optional

    Raises
    ------
    TransientError
        If it may work later: unreachable, slow, cut short, overloaded.
    NotThereError
        For 404 and 410.
    SourceError
        For any other refusal.
    """
    request = urllib.request.Request(routed(url), headers={"Accept-Encoding": "gzip", **(headers or {})})
    budget.require()
    try:
        with urllib.request.urlopen(request, timeout=min(timeout, budget.remaining())) as answer:
            body = _body(answer, budget)
            packed = answer.headers.get("Content-Encoding", "").casefold() == "gzip"
        return gzip.decompress(body) if packed else body
    except urllib.error.HTTPError as error:
        with error:
            after = error.headers.get("Retry-After")
            if error.code == 403 and _says_too_fast(error):
                raise refusal(service, 429, after or _PENALTY, url) from error
            raise refusal(service, error.code, after, url) from error
    except (OSError, http.client.HTTPException, EOFError, zlib.error) as error:
        raise unreachable(service, error) from error


def _body(answer: http.client.HTTPResponse, budget: Budget) -> bytes:
    parts, length = [], 0
    while part := answer.read(_CHUNK):
        parts.append(part)
        length += len(part)
        budget.require()
        if length > _LONGEST:
            raise SourceError("an answer without end", remedy="Check what answers at the gateway, if there is one.")
    declared = answer.headers.get("Content-Length", "")
    if declared.isdigit() and length < int(declared):  # read(n) does not complain about a closed connection
        raise http.client.IncompleteRead(b"".join(parts), int(declared) - length)
    return b"".join(parts)


def _says_too_fast(error: urllib.error.HTTPError) -> bool:
    """Whether a 403 is about the rate of requests, as that of the SEC is."""
    try:
        return _TOO_FAST in error.read(_CHUNK).lower()
    except (OSError, http.client.HTTPException):
        return False


def refusal(service: str, status: int, retry_after: str | None = None, url: str = "") -> SourceError:
    """Error for an HTTP status of 400 and above."""
    if status in _MISSING:
        return NotThereError(f"{service} has no {urlsplit(url).path or 'such document'} (HTTP {status})")
    if status in _BUSY:
        what = "limits the rate of requests" if status == 429 else "has a fault of its own"
        return TransientError(f"{service} {what} (HTTP {status})", retry_after=_seconds(retry_after))
    return SourceError(f"{service} refuses (HTTP {status})", remedy="See docs/data.md on what the service asks for.")


def _seconds(retry_after: str | None) -> float | None:
    """Seconds of a Retry-After header, which may give a date instead."""
    if not retry_after:
        return None
    if retry_after.strip().isdigit():
        return float(retry_after)
    try:
        when = email.utils.parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    return max(0.0, (when.replace(tzinfo=when.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


#: What went wrong, by the name of the exception's type: those of urllib, http and curl alike.
_CAUSES: Mapping[str, tuple[str, bool]] = {
    "gaierror": ("its name cannot be resolved (offline, or a fault of DNS)", True),
    "DNSError": ("its name cannot be resolved (offline, or a fault of DNS)", True),
    "ConnectionRefusedError": ("the connection is refused", True),
    "ConnectionError": ("no connection", True),
    "ConnectTimeout": ("no connection in time", True),
    "SSLError": ("no secure connection", True),
    "ProxyError": ("the proxy does not connect", True),
    "TimeoutError": ("no answer in time", False),
    "Timeout": ("no answer in time", False),
    "ReadTimeout": ("no answer in time", False),
    "IncompleteRead": ("the answer was cut short", False),
    "ChunkedEncodingError": ("the answer was cut short", False),
    "ConnectionResetError": ("the connection broke", False),
    "RemoteDisconnected": ("the connection broke", False),
    "BadGzipFile": ("the answer was cut short", False),
    "EOFError": ("the answer was cut short", False),
}


#: Codes of curl for a connection that ended without an answer, or in the middle of it.
_BROKEN = frozenset({52, 55, 56})


def unreachable(service: str, error: BaseException) -> TransientError:
    """Error for what went wrong below HTTP."""
    if getattr(error, "code", None) in _BROKEN:  # curl calls this no connection, too
        return TransientError(f"{service} did not answer: the connection broke")
    cause = getattr(error, "reason", None)
    inner = cause if isinstance(cause, BaseException) else error
    for kind in type(inner).__mro__:
        if kind.__name__ in _CAUSES:
            words, gone = _CAUSES[kind.__name__]
            return TransientError(f"{service} did not answer: {words}", unreachable=gone)
    return TransientError(f"{service} did not answer: {type(inner).__name__}")


class Pace:
    """Keeps requests a minimum time apart.

    Parameters
    ----------
    seconds : float
        From one request to the next.
    sleep, clock : callable
    """

    def __init__(
        self,
        seconds: float,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seconds, self._sleep, self._clock = seconds, sleep, clock
        self._next = float("-inf")

    def wait(self) -> None:
        """Return when the next request may go out."""
        now = self._clock()
        if now < self._next:
            self._sleep(self._next - now)
            now = max(self._clock(), self._next)
        self._next = now + self._seconds
