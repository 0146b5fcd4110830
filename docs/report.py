"""Draws docs/images/report.png, a report of ``spiketwin compare``: ``python docs/report.py``.

The page is of a real comparison, of the demo's network while it learns, and a browser shows it: in
light on the left, and where that column ends it goes on in dark on the right. Needs a Chromium.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from PIL import Image
from playwright.sync_api import sync_playwright

PICTURE: Final = Path(__file__).parent / "images/report.png"
CALL: Final = (
    "compare --preset digits --ticks 498 --on model: --on rtl+pty: --on float: --report".split()
)
WIDTH: Final = 960
RIGHT_BEGINS: Final = "#latency"


def main() -> None:
    """Compare, have a browser show the report, and write the picture."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder, "report.html")
        program = "from spiketwin.host.cli import main; main()"
        subprocess.run([sys.executable, "-c", program, *CALL, page], check=True)
        light, border = shown(page, "light")
        dark, _ = shown(page, "dark")
    both = Image.new("RGB", (2 * WIDTH, border), dark.getpixel((0, 0)))
    both.paste(light.crop((0, 0, WIDTH, border)), (0, 0))
    both.paste(dark.crop((0, border, WIDTH, min(2 * border, dark.height))), (WIDTH, 0))
    small = both.resize((both.width * 2 // 3, both.height * 2 // 3), Image.Resampling.LANCZOS)
    # The usual choice of colours is by how much there is of each, and loses the rare ones.
    small.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(PICTURE)


def shown(page: Path, scheme: str) -> tuple[Image.Image, int]:
    """Show a page in light or dark: a picture of all of it, and where its right half begins."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        opened = browser.new_page(
            color_scheme="dark" if scheme == "dark" else "light",
            viewport={"width": WIDTH, "height": 800},
        )
        opened.goto(page.as_uri())
        box = opened.locator(RIGHT_BEGINS).bounding_box()
        picture = Image.open(io.BytesIO(opened.screenshot(full_page=True))).convert("RGB")
        browser.close()
    return picture, int(box["y"]) - 20 if box else picture.height


if __name__ == "__main__":
    main()
