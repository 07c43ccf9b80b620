"""The ready files of settings that come with the package, by name.

Owns where they lie; the folder `configs` of a clone leads there. Rule: each begins with a comment that
says what it is for. Must not load what is in them.
"""

from __future__ import annotations

from pathlib import Path

from bot.errors import ConfigError
from bot.wording import did_you_mean

FOLDER = Path(__file__).parent / "ready_files"


def ready_names() -> list[str]:
    """Return the names of the ready files, in order."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def ready_path(name: str) -> Path:
    """Return where a ready file lies.

    Raises:
        ConfigError: there is none of this name.
    """
    names = ready_names()
    if name not in names:
        raise ConfigError(
            f"{name}: no ready file of this name{did_you_mean(name, names)}; there are {', '.join(names)}"
        )
    return FOLDER / f"{name}.toml"


def ready_purpose(name: str) -> str:
    """Return the first sentence of the comment that a ready file begins with."""
    comment = []
    for line in ready_path(name).read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        comment.append(line.removeprefix("#").strip())
    return " ".join(comment).partition(". ")[0].rstrip(".") + "."
