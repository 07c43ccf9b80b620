"""Addresses and secrets of messages: from the environment, or a file that only its owner reads.

Rules: they are in no setting, log, run or error; whatever is said of an address goes through
`hidden`. A file that others may read is refused.
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from bot.errors import ConfigError

PREFIX = "PAPERBOT_NOTIFY_"
"""Not BOT_, which begins the names of settings."""
NAMES = ("urls", "webhook_url", "webhook_secret", "ping_url")
SHORTEST_SECRET = 16
_HIDDEN = "****"
_SHORTEST_PART = 4


@dataclass(frozen=True)
class MessageSecrets:
    """Where messages go; none of it is shown by `repr`.

    Attributes:
        urls: apprise's addresses.
        webhook_secret: what bodies are signed with.
        ping_url: of the dead man's switch.
    """

    urls: tuple[str, ...] = field(default=(), repr=False)
    webhook_url: str = field(default="", repr=False)
    webhook_secret: str = field(default="", repr=False)
    ping_url: str = field(default="", repr=False)


def read_secrets(path: str, environ: Mapping[str, str]) -> MessageSecrets:
    """Read where messages go; what the environment has is stronger than the file.

    Args:
        path: the file of `notify.secrets_file`, empty for none.

    Raises:
        ConfigError: the file is not there, not TOML, readable by others, or has what is not known.
    """
    path = environ.get(f"{PREFIX}FILE", path)
    found: dict[str, Any] = _from_file(Path(path).expanduser(), environ) if path else {}
    for name in NAMES:
        if given := environ.get(f"{PREFIX}{name.upper()}", "").strip():
            found[name] = given
    urls = found.get("urls", ())
    secrets = MessageSecrets(
        urls=tuple(urls.split()) if isinstance(urls, str) else tuple(urls),
        **{name: str(found.get(name, "")) for name in NAMES[1:]},
    )
    _check(secrets)
    return secrets


def hidden(text: str, addresses: Iterable[str]) -> str:
    """Return a text without any part of the addresses, however it quotes them.

    >>> hidden("403 for https://api.host/bot12345:abcdef/send", ["tgram://12345:abcdef/77777"])
    '403 for https://api.host/bot****:****/send'
    """
    parts: set[str] = set()
    for address in addresses:
        rest = address.partition("://")[2] or address
        for piece in (rest, *re.split(r"[/?&=:@,;\s]+", rest)):
            parts |= {piece, unquote(piece)}
    for part in sorted(parts, key=len, reverse=True):
        if len(part) >= _SHORTEST_PART:
            text = text.replace(part, _HIDDEN)
    return text


def _from_file(path: Path, environ: Mapping[str, str]) -> dict[str, Any]:
    try:
        with path.open("rb") as file:  # who may read it is asked of the very file that is read
            mode = os.fstat(file.fileno()).st_mode
            content = tomllib.load(file)
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file of addresses and secrets") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no TOML"
        raise ConfigError(f"{path}: cannot be read: {why}") from None
    systemd = environ.get("CREDENTIALS_DIRECTORY")
    guarded = systemd is not None and path.resolve().is_relative_to(Path(systemd).resolve())
    if not guarded and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigError(f"{path}: others may read or change it; chmod 600 {path}")
    for name, value in content.items():
        if name not in NAMES:
            raise ConfigError(f"{path}: has a key that is none of {', '.join(NAMES)}")
        texts = value if name == "urls" and isinstance(value, list) else [value]
        if not all(isinstance(text, str) for text in texts):
            raise ConfigError(f"{path}: {name} is no text{' or list' if name == 'urls' else ''}")
    return content


def _check(secrets: MessageSecrets) -> None:
    for name in ("webhook_url", "ping_url"):
        address = getattr(secrets, name)
        if address and not re.match(r"https?://[^\s/]+", address):
            raise ConfigError(f"{name}: is no address that begins with https:// or http://")
        if re.match(r"https?://[^/?#]*@", address):
            raise ConfigError(
                f"{name}: has a user or password before its host, which is never sent; a webhook is "
                "signed instead, and a token belongs into the path"
            )
    if secrets.webhook_url and len(secrets.webhook_secret) < SHORTEST_SECRET:
        raise ConfigError(
            f"webhook_secret: a webhook needs one of {SHORTEST_SECRET} letters or more to sign with; "
            "'openssl rand -hex 32' makes one"
        )


def from_environment(path: str = "") -> MessageSecrets:
    """Read where messages go, with this process's environment."""
    return read_secrets(path, os.environ)
