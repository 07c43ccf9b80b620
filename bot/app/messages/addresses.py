"""The addresses of the secrets, and settings that only a look at this machine can check."""

from __future__ import annotations

import difflib
import time
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from bot.adapters.messages.delivery import Address
from bot.adapters.messages.secrets import MessageSecrets
from bot.adapters.messages.services import services
from bot.adapters.messages.webhook import Webhook
from bot.config.notify import Notify
from bot.errors import ConfigError


def addresses_of(secrets: MessageSecrets) -> list[Address]:
    """Return where messages go.

    Raises:
        ConfigError: the extra is not installed, or an address is none.
    """
    made: list[Address] = [*services(secrets.urls)]
    if secrets.webhook_url:
        made.append(Webhook(secrets.webhook_url, secrets.webhook_secret, time.time))
    return made


def check_settings(settings: Notify) -> None:
    """Refuse a time zone that this machine does not know.

    Raises:
        ConfigError: with the one that may be meant.
    """
    try:
        ZoneInfo(settings.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        near = difflib.get_close_matches(settings.timezone, available_timezones(), n=1, cutoff=0.5)
        meant = f"did you mean {near[0]}?" if near else "write one such as Europe/Berlin, or UTC"
        raise ConfigError(
            f"notify.timezone = '{settings.timezone}': is no time zone; {meant}"
        ) from None
