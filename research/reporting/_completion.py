"""The completion record: how a finished notebook is told from one that merely ended.

A kernel that dies or a cell that calls exit leaves a notebook that looks complete.
So the last cell hands its results over in an output of a type of its own, and the
runner publishes nothing without it.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from research.errors import ParameterError, ReportError

#: MIME type of the completion record.
RESULTS_TYPE = "application/vnd.earnings-study.results+json"
SCHEMA = 1


def complete(results: Mapping[str, Any]) -> None:
    """Declare the notebook complete and hand over its results; the last cell calls it.

    Parameters
    ----------
    results : mapping
        What ``results.json`` will hold, converted by :func:`plain`.

    Raises
    ------
    ParameterError
        If something in it has no JSON form.
    """
    from IPython.display import display

    record = {"complete": True, "schema": SCHEMA, "results": plain(results)}
    display({RESULTS_TYPE: record, "text/plain": "Complete: the results are in results.json."}, raw=True)


def plain(value: Any, where: str = "results") -> Any:
    """``value`` in the types that JSON knows.

    numpy and pandas scalars become Python's own, arrays and tuples become lists, dates
    and instants ISO 8601 text, keys text. NaN, infinities, NaT and NA become None: JSON
    has none of them, and ``null`` says "there is no such number" to every reader.

    Raises
    ------
    ParameterError
        For anything else. Series and frames are refused because their orientation would
        be a guess: pass ``frame.to_dict("records")``.
    """
    if isinstance(value, Mapping):
        return _plain_mapping(value, where)
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [plain(item, f"{where}[{position}]") for position, item in enumerate(value)]
    if isinstance(value, np.generic) and not isinstance(value, (np.datetime64, np.timedelta64)):
        value = value.item()
    if value is None or value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return str(value)
    if isinstance(value, np.datetime64):
        return plain(pd.Timestamp(value), where)
    if isinstance(value, (datetime.date, datetime.time)):  # pandas' Timestamp is one of them
        return value.isoformat()
    raise ParameterError(
        f"a {type(value).__name__} has no JSON form",
        parameter=where,
        allowed="numbers, texts, dates, None, and lists and mappings of them",
        remedy="Convert it first, a frame for example with to_dict('records').",
    )


def _plain_mapping(value: Mapping[Any, Any], where: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, item in value.items():
        if isinstance(key, bool) or not isinstance(key, (str, int, np.integer)):
            raise ParameterError(
                f"the key {key!r} has no JSON form", parameter=where, allowed="texts and whole numbers"
            )
        if str(key) in found:
            raise ParameterError(f"two keys read {str(key)!r}", parameter=where)
        found[str(key)] = plain(item, f"{where}.{key}")
    return found


def completed_results(notebook: Any) -> dict[str, Any]:
    """Results in the completion record of an executed notebook.

    Parameters
    ----------
    notebook : NotebookNode

    Raises
    ------
    ReportError
        Unless every code cell ran and the last one, and only that, left the record.
    """
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    skipped = [cell for cell in code if cell.source.strip() and cell.execution_count is None]
    records = [
        (cell, output.data[RESULTS_TYPE])
        for cell in code
        for output in cell.outputs
        if RESULTS_TYPE in output.get("data", {})
    ]
    well_placed = len(records) == 1 and records[0][0] is code[-1]
    record = records[0][1] if well_placed else {}
    if skipped or record.get("complete") is not True or record.get("schema") != SCHEMA:
        raise ReportError(
            "ended without its completion record",
            remedy="Its last cell, and only that, calls research.reporting.notebooks.complete(results).",
        )
    return dict(record["results"])
