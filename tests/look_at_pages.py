#!/usr/bin/env python3
"""Opens pages of a running stack in headless Chromium: are they there, whole, and not blank?

    python3 tests/look_at_pages.py FOLDER NAME URL 'TEXT|TEXT' [NAME URL 'TEXT|TEXT' ...]

For each page: its DOM, once its scripts have run, has every TEXT; its scripts raised no error; its
picture, FOLDER/NAME.png, shows something. The pictures are for people to look at.

CHROMIUM names the browser, else chromium, chromium-browser, google-chrome or chrome is taken.
Exit code 0: all is well; 1: faults, one a line; 3: there is no browser.
"""

import html
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
# Only the page: no first-run dialogs, no telemetry.
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
    "--hide-scrollbars", "--enable-logging=stderr", "--window-size=1280,1000",
)
# How long a page's scripts run before it is inspected, in the browser's virtual time.
SETTLE_MS = 10_000
PATIENCE_S = 90
# Lines of pixels that differ from all others. A blank page has one or two, a heading some twenty.
LEAST_LINES = 60
# Debian's build of Prometheus brings a popper.js that its own page cannot load.
KNOWN_ERRORS = ("/classic/static/popper.js/",)


def browser():
    chosen = os.environ.get("CHROMIUM") or next(filter(shutil.which, BROWSERS), None)
    if not chosen:
        print("pages: there is no Chromium; Debian's package is chromium", file=sys.stderr)
        sys.exit(3)
    return chosen


def run(url, *options):
    """What the browser prints on a page: output and log."""
    with tempfile.TemporaryDirectory() as profile:
        done = subprocess.run(
            [browser(), *QUIET, f"--user-data-dir={profile}", f"--virtual-time-budget={SETTLE_MS}",
             *options, url],
            capture_output=True, text=True, errors="replace", timeout=PATIENCE_S, check=False,
        )
    return done.stdout, done.stderr


def text_of(dom):
    """What a person can read; tags and scripts left out."""
    dom = re.sub(r"(?s)<(script|style)\b.*?</\1>", " ", dom)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", dom)).split())


def script_errors(log):
    lines = (line for line in log.splitlines() if "CONSOLE" in line)
    errors = (line for line in lines if re.search(r"Uncaught|Refused to|SyntaxError", line))
    return [line for line in errors if not any(known in line for known in KNOWN_ERRORS)]


def different_lines(png):
    """How many lines of pixels an image has that are not like another, as they are stored."""
    data = png.read_bytes()
    width, height, depth, color = struct.unpack(">IIBB", data[16:26])
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[color]
    stored, at = b"", 8
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at:at + 8])
        if kind == b"IDAT":
            stored += data[at + 8:at + 8 + length]
        at += 12 + length
    pixels = zlib.decompress(stored)
    line = 1 + (width * channels * depth + 7) // 8
    return len({pixels[row * line:(row + 1) * line] for row in range(height)})


def faults(folder, name, url, texts):
    picture = folder / f"{name}.png"
    picture.unlink(missing_ok=True)
    try:
        dom, log = run(url, "--dump-dom")
        run(url, f"--screenshot={picture}")
    except subprocess.TimeoutExpired:
        return [f"not done after {PATIENCE_S} s"]
    shown = text_of(dom)
    found = [f"lacks {text!r}; it begins: {shown[:200]!r}" for text in texts if text not in shown]
    found += [f"script error: {line}" for line in script_errors(log)]
    if not picture.exists():
        return [*found, "there is no picture"]
    lines = different_lines(picture)
    if lines < LEAST_LINES:
        found.append(f"the picture is as good as blank: {lines} different lines of pixels")
    return found


def main():
    folder, *words = sys.argv[1:] or sys.exit(__doc__)
    if not words or len(words) % 3:
        sys.exit(__doc__)
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    total = 0
    for name, url, texts in zip(words[::3], words[1::3], words[2::3]):
        found = faults(folder, name, url, texts.split("|"))
        for fault in found:
            print(f"pages: {name}: {fault}", file=sys.stderr)
        total += len(found)
    print(f"pages: {len(words) // 3} checked, {total} problems; pictures are in {folder}")
    return 1 if total else 0


if __name__ == "__main__":
    sys.exit(main())
