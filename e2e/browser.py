"""A real browser without a window: opens a page, does what a script says, and hands back what the script saw.

Chromium prints the document as it is after all scripts have run (`--dump-dom`); the script leaves its result there.
"""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_RESULT = re.compile(r'<pre id="result-of-the-test">(.*?)</pre>', re.DOTALL)


def find_browser() -> str | None:
    """Return the browser's program, None if there is none."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


def in_browser(browser: str, page: Path, script: str, folder: Path) -> Any:
    """Open a page, run a script in it after its own, and return what the script returns (it may await)."""
    hook = f"""<script>
    window.addEventListener("error", (event) => leave({{problem: event.message}}));
    function leave(result) {{
      const place = document.createElement("pre");
      place.id = "result-of-the-test";
      place.textContent = JSON.stringify(result);
      document.body.prepend(place);
    }}
    (async () => {{ {script} }})().then(leave, (problem) => leave({{problem: String(problem)}}));
    </script>"""
    hooked = folder / f"hooked-{page.name}"
    hooked.write_text(page.read_text().replace("</body>", f"{hook}</body>"))
    command = [
        browser,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        f"--user-data-dir={folder / 'profile'}",
        "--virtual-time-budget=10000",
        "--dump-dom",
        hooked.as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    found = _RESULT.search(done.stdout)
    assert found, f"the browser shows no result: {done.stderr[-2000:]}"
    result = json.loads(html.unescape(found[1]))
    assert not (isinstance(result, dict) and "problem" in result), result
    return result
