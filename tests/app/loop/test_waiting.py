"""What is said while nothing else is: on a terminal a line that counts, else one line, nobody's end."""

from __future__ import annotations

import io
import time

from bot.app.loop.waiting import COMPILING, TAKES, waiting


class Screen(io.StringIO):
    """A terminal that can be closed."""

    gone = False

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if self.gone:
            raise BrokenPipeError
        return super().write(text)


def test_a_terminal_counts_the_seconds_and_is_clean_at_the_end() -> None:
    screen = Screen()
    with waiting(COMPILING, TAKES, screen):
        time.sleep(0.25)
    shown = screen.getvalue()
    assert COMPILING in shown
    assert f"({TAKES})" in shown
    assert "0:00:00" in shown
    assert shown.endswith("\x1b[2K")  # the line is taken away again


def test_a_file_gets_one_line() -> None:
    file = io.StringIO()
    with waiting(COMPILING, TAKES, file):
        pass
    assert file.getvalue() == f"{COMPILING}: {TAKES}\n"


def test_a_terminal_that_goes_away_ends_nothing() -> None:
    screen, done = Screen(), False
    with waiting(COMPILING, TAKES, screen):
        screen.gone = True
        time.sleep(0.25)
        done = True
    assert done
