"""What changed since the last version of a report that had other inputs.

The comparison rests on what each version left behind: ``results.json``, ``manifest.json``
and ``inputs.json``. The same two versions always give the same words.
"""

from __future__ import annotations

import html
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from research.reporting import words

#: Files of a version that the next one is compared with.
KEPT = ("manifest", "results", "inputs")
#: Name of the file in a report's folder that holds the previous version.
PREVIOUS = "previous.json"
#: Rows shown before the rest is folded away.
_SHOWN = 6
#: Relative size below which a difference is arithmetic and no news.
_NOISE = 1e-9

_LABELS = {
    "day_zero.return": ("return on day zero", "%"),
    "day_zero.market_return": ("market return on day zero", "%"),
    "day_zero.abnormal_return": ("abnormal return on day zero", "%"),
    "day_zero.se": ("its standard error", "size"),
    "day_zero.t": ("t on day zero", ""),
    "day_zero.p_value": ("p on day zero", "p"),
    "estimation.n_observations": ("days of the estimation window", "n"),
    "estimation.n_cut": ("days cut from the estimation window", "n"),
    "parameters.alpha": ("alpha", "%"),
    "parameters.beta": ("beta", ""),
    "parameters.sigma": ("sigma", "size"),
    "earnings_day.z": ("z against the firm's own earnings days", ""),
    "earnings_day.rank": ("rank among the firm's own earnings days", "n"),
    "earnings_day.n": ("earlier earnings days", "n"),
    "ledger.input": ("announcements in the data", "n"),
    "ledger.used": ("announcements used", "n"),
}
_WINDOW_FIGURES = {"car": ("CAR", "%"), "se": ("standard error", "size"), "t": ("t", ""), "p_value": ("p", "p")}


def previous_version(target: Path, input_hash: str) -> dict[str, Any] | None:
    """The last version in the folder ``target`` whose input hash is another one; None without.

    A folder whose files cannot be read counts as no version: a new report does not fail
    because the old one is damaged.
    """
    manifest = read_json(target / "manifest.json")
    if not isinstance(manifest, dict):
        return None
    if manifest.get("input_hash") == input_hash:
        kept = read_json(target / PREVIOUS)
        return kept if isinstance(kept, dict) else None
    version = {name: read_json(target / f"{name}.json") for name in KEPT}
    return {name: content for name, content in version.items() if isinstance(content, dict)}


def read_json(path: Path) -> Any:
    """Contents of a JSON file; None where there is none or it is damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def changes_block(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """HTML that says what changed between two versions.

    Parameters
    ----------
    before, after : mapping
        ``manifest``, ``results`` and, where there are any, ``inputs`` of each.
    """
    old, new = (version.get("manifest") or {} for version in (before, after))
    rows = list(moved_figures(before.get("results") or {}, after.get("results") or {}))
    news = [*_added(before, after), *_rewritten(before, after)]
    reason = words.listing(changed_inputs(old, new)) or "inputs that the earlier version did not record"
    known = html.escape(str(old.get("input_hash", ""))[:10])
    parts = [
        '<section class="note changes" aria-label="What changed">',
        f"<p><strong>What changed</strong> since the version with input hash <code>{known}</code>: "
        f"{html.escape(reason)}.</p>",
    ]
    if old.get("status") == "preliminary" and new.get("status") == "final":
        news.insert(0, "The event window is complete: the report was preliminary and is final now.")
    if news:
        parts.append(f"<ul>{''.join(f'<li>{html.escape(item)}</li>' for item in news)}</ul>")
    if rows:
        parts.append(_table(rows[:_SHOWN], "Figures that moved"))
        if len(rows) > _SHOWN:
            rest = _table(rows[_SHOWN:], "Further figures that moved")
            parts.append(f"<details><summary>{len(rows) - _SHOWN} further figures</summary>{rest}</details>")
    else:
        parts.append("<p>No figure moved.</p>")
    return "".join([*parts, "</section>"])


def changed_inputs(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Which inputs differ between two manifests, in words."""
    found = []
    names = sorted({**(old.get("parameters") or {}), **(new.get("parameters") or {})})
    moved = [n for n in names if (old.get("parameters") or {}).get(n) != (new.get("parameters") or {}).get(n)]
    if moved:
        found.append(f"{'the parameter' if len(moved) == 1 else 'the parameters'} {words.listing(moved)}")
    files = [(manifest.get("source") or {}).get("files") or {} for manifest in (old, new)]
    data = sorted(name for name in {*files[0], *files[1]} if files[0].get(name) != files[1].get(name))
    if data:
        found.append(f"the data in {words.listing(data)}")
    if old.get("notebook_file") != new.get("notebook_file"):
        found.append("the notebook")
    if old.get("code") != new.get("code"):
        found.append("the code of the package")
    versions = [manifest.get("versions") or {} for manifest in (old, new)]
    libraries = sorted(n for n in {*versions[0], *versions[1]} if versions[0].get(n) != versions[1].get(n))
    if libraries:
        found.append(f"the version of {words.listing(libraries)}")
    return found


def moved_figures(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Label, old and new value of every figure that differs by more than arithmetic."""
    old, new = dict(_figures(before)), dict(_figures(after))
    for key in dict.fromkeys([*new, *old]):
        if not _same(old.get(key), new.get(key)):
            label, unit = _label(key)
            texts = [_as_text(version.get(key), unit) for version in (old, new)]
            if texts[0] == texts[1]:  # what moved lies beyond the digits that are shown
                texts = [_as_text(version.get(key), "all") for version in (old, new)]
            yield label, texts[0], texts[1]


def _figures(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], float | None]]:
    """Numbers (and nulls) in nested results; a window is known by its first and last day."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            if path and path[-1].startswith("[") and name in ("start", "end"):
                continue
            yield from _figures(item, (*path, str(name)))
    elif isinstance(value, list):
        for position, item in enumerate(value):
            bounds = isinstance(item, Mapping) and {"start", "end"} <= set(item)
            name = f"[{item['start']}, {item['end']}]" if bounds else str(position + 1)
            yield from _figures(item, (*path, name))
    elif value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)):
        yield path, value


def _same(old: float | None, new: float | None) -> bool:
    if old is None or new is None:
        return old is new
    return math.isclose(old, new, rel_tol=_NOISE, abs_tol=1e-12)


def _label(path: tuple[str, ...]) -> tuple[str, str]:
    if path[0] == "windows" and len(path) == 3 and path[2] in _WINDOW_FIGURES:
        name, unit = _WINDOW_FIGURES[path[2]]
        return f"{name} over days {path[1].replace('-', chr(0x2212))}", unit
    return _LABELS.get(".".join(path), (" ".join(path).replace("_", " "), ""))


def _as_text(value: float | None, unit: str) -> str:
    if value is None:
        return "–"
    if unit in ("%", "size"):
        return words.percent(value, signed=unit == "%")
    if unit == "p":
        return words.p_value(value)
    if unit == "n" or float(value).is_integer():
        return words.number(value, 0)
    return f"{value:.{12 if unit == 'all' else 4}g}".replace("-", "\N{MINUS SIGN}")


def _added(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """Announcements that came in or went, by ticker."""
    old, new = ((version.get("inputs") or {}).get("counts") or {} for version in (before, after))
    if not old or not new:
        return
    for word, one, other in (("added", new, old), ("gone", old, new)):
        more = {name: n - other.get(name, 0) for name, n in sorted(one.items()) if n > other.get(name, 0)}
        if more:
            total = words.count(sum(more.values()), "announcement")
            listed = words.listing(_limited([f"{name} ({n})" for name, n in more.items()]))
            yield f"{total} {word} in the data: {listed}."


def _rewritten(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """Data of the past that read differently now."""
    old, new = (version.get("inputs") or {} for version in (before, after))
    series = old.get("returns") or {}
    for name, now in (new.get("returns") or {}).items():
        then = series.get(name) or {}
        days = [day for day in sorted(now) if day in then and not _same(then[day], now[day])]
        if days:
            shown = [f"{d} from {words.percent(then[d])} to {words.percent(now[d])}" for d in days[:3]]
            more = f" and {len(days) - 3} more" if len(days) > 3 else ""
            subject = words.count(len(days), "daily return")
            yield f"The source rewrote {subject} of {name}: {', '.join(shown)}{more}."
    rows = old.get("announcements") or {}
    for event_id, now in (new.get("announcements") or {}).items():
        then = rows.get(event_id)
        if then is None:
            continue
        moved = [name for name in now if name in then and then[name] is not None and then[name] != now[name]]
        if moved:
            shown = [f"{name.replace('_', ' ')} from {then[name]} to {now[name]}" for name in moved]
            yield f"The source rewrote the announcement {event_id}: {', '.join(shown)}."


def _limited(items: list[str]) -> list[str]:
    return items if len(items) <= 12 else [*items[:12], f"{len(items) - 12} more"]


def _table(rows: list[tuple[str, str, str]], caption: str) -> str:
    body = "".join(
        f'<tr><th scope="row">{html.escape(label)}</th><td class="num">{html.escape(old)}</td>'
        f'<td class="num">{html.escape(new)}</td></tr>'
        for label, old, new in rows
    )
    return (
        f'<table><caption>{html.escape(caption)}</caption><thead><tr><th scope="col">Figure</th>'
        f'<th scope="col" class="num">before</th><th scope="col" class="num">now</th></tr></thead>'
        f"<tbody>{body}</tbody></table>"
    )
