"""Where the sample and the notebooks are: in a checkout, or inside an installed wheel."""

from __future__ import annotations

from pathlib import Path

from research.errors import ResearchError

_PACKAGE = Path(__file__).resolve().parent


def resource_root() -> Path:
    """Folder that holds ``data/sample`` and ``notebooks``.

    A checkout (editable installs included) has them beside the package; a wheel
    carries copies inside it. The checkout comes first, so that an edit is seen.

    Returns
    -------
    Path

    Raises
    ------
    ResearchError
        If neither place holds them: the installation is damaged.
    """
    for root in (_PACKAGE.parent, _PACKAGE / "resources"):
        if (root / "data" / "sample").is_dir() and (root / "notebooks").is_dir():
            return root
    raise ResearchError(
        "the embedded sample and the notebooks are missing from this installation",
        remedy="Reinstall earnings-event-study, or work in a complete checkout.",
    )


def sample_directory() -> Path:
    """Folder of the embedded sample."""
    return resource_root() / "data" / "sample"


def notebook_directory() -> Path:
    """Folder of the notebooks."""
    return resource_root() / "notebooks"
