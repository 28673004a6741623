"""Take the pictures of README.md from real reports: `make pictures`. Needs Chromium."""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
SCHEDULE = """
[[watch]]
tickers = ["META", "AAPL", "AMZN", "MSFT", "NVDA"]
since_days = 120
"""


def command(*arguments: str, cwd: Path) -> None:
    """Run ``earnings-study``."""
    subprocess.run([sys.executable, "-m", "research", *arguments], cwd=cwd, check=True)


def shoot(page: Path, picture: str, size: str) -> None:
    """Screenshot of the top of a page."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        sys.exit("pictures are taken with Chromium, which is not installed")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--window-size={size}"]
    target = f"--screenshot={IMAGES / picture}"
    subprocess.run([browser, *options, target, page.as_uri()], check=True, capture_output=True)


def evening(notebook: Path) -> str:
    """The first figure of an executed notebook, as SVG."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    kind = "image/svg+xml"
    found = [output["data"][kind] for cell in cells for output in cell.get("outputs", []) if kind in output["data"]]
    return "".join(found[0])


def main() -> None:
    """Make the reports in a folder for temporary files and look at them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "schedule.toml").write_text(SCHEDULE, encoding="utf-8")
        command("rerun", "schedule.toml", "--today", "2024-11-25", cwd=folder)
        report = folder / "reports" / "meta-2024-10-30"
        shoot(report / "report.html", "report.png", "1280,900")
        figure = f'<body style="margin:16px;background:#fff">{evening(report / "notebook.ipynb")}'
        (folder / "evening.html").write_text(f'<meta charset="utf-8">{figure}', encoding="utf-8")
        shoot(folder / "evening.html", "evening.png", "960,420")
        shoot(folder / "reports" / "index.html", "index.png", "1280,800")


if __name__ == "__main__":
    main()
