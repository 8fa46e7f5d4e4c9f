"""`make page`: a report in a real browser, wide and narrow, with a log of what the browser asks the network for.

Needs Chromium in the PATH (Debian: apt-get install chromium) and TCCC_DATABASE_URL; look at the pictures.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SIZES = {"wide": "1280,1500", "narrow": "500,1800"}


def main(words: list[str]) -> None:
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        sys.exit("there is no Chromium in the PATH")
    folder = Path(tempfile.mkdtemp(prefix="tccc-page-"))
    page = folder / "page.html"
    asked = words or ["week", "--tz", "Asia/Shanghai"]
    subprocess.run(
        [sys.executable, "-m", "console", "report", *asked, "--format", "html", "--output", page], check=True
    )
    for name, size in SIZES.items():
        log, picture = folder / f"{name}.json", folder / f"{name}.png"
        options = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--disable-background-networking",
        ]
        options += [f"--window-size={size}", f"--screenshot={picture}", f"--log-net-log={log}", page.as_uri()]
        subprocess.run([browser, *options], check=True, capture_output=True, timeout=120)
        asked_for = requests(json.loads(log.read_text(encoding="utf-8")))
        print(f"{picture}: {len(asked_for)} requests", *asked_for)
        if asked_for:
            sys.exit(1)


def requests(log: dict[str, list[dict[str, dict[str, str]]]]) -> list[str]:
    """The addresses that a page asked for; the browser's own errands have no initiator."""
    return [
        event["params"]["url"]
        for event in log["events"]
        if event.get("params", {}).get("url", "").startswith(("http", "ws"))
        and event["params"].get("initiator", "not an origin") != "not an origin"
    ]


if __name__ == "__main__":
    main(sys.argv[1:])
