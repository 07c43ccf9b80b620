"""Where Debian's Chromium lies; without it pictures stay as they are, and that is an error."""

from __future__ import annotations

import shutil


def chromium_path() -> str:
    """Return the path of Chromium.

    Raises:
        SystemExit: it is not installed.
    """
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        raise SystemExit("documents: no Chromium; install Debian's package 'chromium'")
    return found
