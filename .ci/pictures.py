"""Take the pictures of README.md from real reports: `make pictures`. Needs Chromium."""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
TODAY = "2024-11-25"
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
        command("rerun", "schedule.toml", "--today", TODAY, cwd=folder)
        report = folder / "reports" / "meta-2024-10-30"
        shoot(report / "report.html", "report.png", "1280,900")
        figure = evening(report / "notebook.ipynb")
        style = '<meta charset="utf-8"><style>body { margin: 16px } svg { width: 100%; height: auto }</style>'
        (folder / "evening.html").write_text(style + figure, encoding="utf-8")
        width, height = map(float, re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', figure).groups())
        shoot(folder / "evening.html", "evening.png", f"1280,{round(1248 * height / width) + 32}")
        index = folder / "reports" / "index.html"  # it would say that its last run was long ago
        on_that_day = f"<script>Date.now = () => Date.parse('{TODAY}')</script>"
        index.write_text(index.read_text(encoding="utf-8").replace("<head>", f"<head>{on_that_day}"), encoding="utf-8")
        shoot(index, "index.png", "1280,740")


if __name__ == "__main__":
    main()
