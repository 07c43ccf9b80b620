"""What a server serves: a folder of runs, what is known of them, and who may ask.

Rule: everything that lasts from one request to the next is here, and nothing of it outlives the process.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from bot.serve.access.codes import OneTimeCodes
from bot.serve.access.failures import Failures
from bot.serve.access.origins import Ours
from bot.serve.access.sessions import Sessions
from bot.serve.access.signed_out import signed_out_beside
from bot.serve.access.token import AccessToken
from bot.serve.api.commands import Confirmations
from bot.serve.feed.analysis import Analyses
from bot.serve.feed.cards import Cards
from bot.serve.feed.coverages import Coverages
from bot.serve.feed.curves import Curves
from bot.serve.feed.runs import RunsFolder
from bot.serve.feed.watching import Watching
from bot.serve.page.bars import WholeBars


@dataclass
class Site:
    """A server's whole."""

    runs: RunsFolder
    token: AccessToken
    ours: Ours
    sessions: Sessions
    curves: Curves = field(default_factory=Curves)
    coverages: Coverages = field(default_factory=Coverages)
    codes: OneTimeCodes = field(default_factory=OneTimeCodes)
    failures: Failures = field(default_factory=Failures)
    confirmations: Confirmations = field(default_factory=Confirmations)
    analyses: Analyses = field(default_factory=Analyses)
    bars: WholeBars = field(default_factory=WholeBars)

    def __post_init__(self) -> None:
        self.cards = Cards(self.curves)
        self.watching = Watching(self.runs)

    async def close(self) -> None:
        """Let go of who listens, and end what is under way."""
        self.watching.close()
        await self.analyses.close()


def site_for(runs_dir: Path, token: AccessToken, ours: Ours) -> Site:
    """Return the site of a folder of runs."""
    key = token.key(f"sessions on port {ours.port}")
    sessions = Sessions(key, ours.port, signed_out_beside(token))
    return Site(RunsFolder(runs_dir), token, ours, sessions)
