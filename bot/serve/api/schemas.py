"""What the addresses answer, as the OpenAPI document describes it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Items(BaseModel):
    """A page of rows."""

    items: list[dict[str, Any]] = Field(description="Rows by column; times in ms UTC.")
    next: str | None = Field(None, description="The cursor of the next page; null at the end.")


class ListedRun(BaseModel):
    """A run as the list has it; money in the quote currency, returns as fractions."""

    model_config = ConfigDict(extra="allow")
    id: str = Field(description="The name of its folder.")
    state: Literal["live", "late", "halted", "dead", "stopped", "finished"]
    state_why: str = Field(description="Why it is in this state, in a phrase; may be empty.")
    fault: str = Field(description="Why it cannot be read; empty where it can.")
    mode: str | None
    symbols: list[str]
    equity: float | None
    total_return: float | None
    day_return: float | None = Field(description="Since the last close of the UTC day before.")
    drawdown: float | None
    positions: int
    spark: list[float] = Field(description="Equity over the whole run, a few points of it.")


class RunStatus(BaseModel):
    """Where a run stands: what `bot status --json` prints, and its state."""

    model_config = ConfigDict(extra="allow")
    id: str
    state: str
    state_why: str = Field(description="Why it is in this state, in a phrase; may be empty.")
    day_return: float | None = Field(description="Since the last close of the UTC day before.")


ChangedSetting = Annotated[str, Field(min_length=3, max_length=300, pattern=r"^[a-z0-9_.]+=")]


class WantedCommand(BaseModel):
    """A command: what is wanted of a run."""

    model_config = ConfigDict(extra="forbid")
    kind: Literal["pause", "resume", "flatten", "set"]
    changes: list[ChangedSetting] = Field(
        default_factory=list, max_length=50,
        description="Settings as section.key=value, for set alone.",
    )  # fmt: skip


class Confirmed(WantedCommand):
    """A command with the confirmation that was given out for it."""

    confirm: str = Field(min_length=8, max_length=100)


class Confirmation(BaseModel):
    """What a command will do, and what confirms it."""

    confirm: str
    says: str
    expires_s: float


class CommandOutcome(BaseModel):
    """What became of a command so far."""

    id: str
    outcome: Literal["taken", "refused", "waiting"]
    says: str
    warnings: list[str]


class OneTimeLink(BaseModel):
    """An address that opens the page once."""

    path: str
    expires_s: float


class ProblemDocument(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
