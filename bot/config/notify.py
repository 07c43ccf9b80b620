"""The settings of `bot notify`: what is told, and when.

Rule: no address and no secret stands here, since a run keeps its settings and a page shows them;
those are read from the environment or a file of their own (`bot.adapters.messages.secrets`).
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from bot.config.section import Section

MessageKind = Literal[
    "fill", "halt", "liquidation", "model", "training", "feed", "disk", "command", "symbol",
    "life", "crash", "summary",
]  # fmt: skip
_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9]"


class Notify(Section):
    """What 'bot notify' tells, and when; addresses and secrets stand in the environment or a file."""

    kinds: tuple[MessageKind, ...] = Field(
        ("fill", "halt", "liquidation", "model", "training", "feed", "disk", "command", "symbol",
         "life", "crash", "summary"),
        description="What is told: fills, halts of the account, liquidations and margin calls, new "
        "models, trainings that failed, the feed lost and found, a disk that fills up, commands "
        "by hand, symbols that leave, starts and stops, crashes, the daily summary.",
    )  # fmt: skip
    quiet: str = Field(
        "",
        pattern=rf"^({_TIME}-{_TIME})?$",
        description="Quiet hours, such as 22:00-07:00: only halts, liquidations, crashes and a full "
        "disk are told in them, the rest afterwards. Empty: none.",
    )
    timezone: str = Field(
        "UTC",
        pattern=r"^[A-Za-z0-9_+/-]+$",
        description="Time zone of quiet and summary_at, such as Europe/Berlin.",
    )
    summary_at: str = Field(
        "08:00",
        pattern=rf"^({_TIME})?$",
        description="Time of the daily summary, in the time zone. Empty: none.",
    )
    group_s: float = Field(
        20.0, ge=0.0, le=3600.0,
        description="Seconds that a message waits for others, to be sent with them as one; what "
        "is urgent does not wait.",
    )  # fmt: skip
    max_per_hour: int = Field(
        30, ge=1, le=3600,
        description="Most that is sent in an hour to one address; what is beyond waits and is sent as "
        "one. What is urgent is sent all the same.",
    )  # fmt: skip
    disk_low_mb: float = Field(
        1000.0, ge=0.0, le=1e9,
        description="Free space in 10^6 bytes below which a run's disk counts as filling up. 0: never.",
    )  # fmt: skip
    feed_lost_s: float = Field(
        120.0, ge=0.0, le=86_400.0,
        description="Seconds without the exchange before it is told; shorter breaks are not.",
    )  # fmt: skip
    look_s: float = Field(
        2.0, gt=0.0, le=600.0, description="Seconds between two looks at the runs."
    )
    ping_every_s: float = Field(
        60.0, ge=1.0, le=86_400.0,
        description="Seconds between the calls of the dead man's switch, where it has an address. They "
        "are made for as long as every run that should be running is.",
    )  # fmt: skip
    secrets_file: str = Field(
        "",
        description="File with the addresses and secrets, readable by its owner alone (chmod 600). "
        "Empty: those of the environment.",
    )
