"""What a check found: ok, warn or fail, in a line, with what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Grade = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Finding:
    """The result of a check.

    Attributes:
        check: what was looked at.
        said: what was found.
        fix: what to do; empty where all is well.
    """

    check: str
    grade: Grade
    said: str
    fix: str = ""


def graded(check: str, said: str, *, fail: bool = False, warn: bool = False, fix: str = "") -> Finding:  # fmt: skip
    """Return a finding, with its fix where there is something to mend."""
    grade: Grade = "fail" if fail else "warn" if warn else "ok"
    return Finding(check, grade, said, fix if grade != "ok" else "")
