"""What every section of the settings is: frozen, and strict about its keys.

Must not know any particular setting.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Bps = Annotated[float, Field(ge=0.0, le=1000.0)]


class Section(BaseModel):
    """A frozen group of settings that refuses unknown keys."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False
    )


PartSettings = dict[str, dict[str, Any]]
"""The sections of parts that have one of their own, by the part's name."""


def chosen(kind: str) -> dict[str, Any]:
    """Return what marks a setting as one that names parts of a kind."""
    return {"part": kind}


def settings_of_parts(section: str) -> Any:
    """Return the field of a section in which its parts have sections of their own."""
    return Field(
        default_factory=dict,
        description=f"Settings of parts that have their own, as tables [{section}.settings.NAME]; "
        "'bot parts list' shows them.",
        json_schema_extra={"of_parts": True},
    )
