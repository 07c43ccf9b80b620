"""Addresses and secrets: where they are read, what is refused, and that nothing gives them away."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.adapters.messages.secrets import hidden, read_secrets
from bot.errors import ConfigError

FILE = """
urls = ["tgram://123456789:abcdefg_hijk/12315544", "json://localhost"]
webhook_url = "https://host.example/hook/geheim123"
webhook_secret = "0123456789abcdef"
ping_url = "https://hc.example/uuid-uuid"
"""


def written(path: Path, text: str = FILE, mode: int = 0o600) -> str:
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def test_a_file_and_the_environment_which_is_stronger(tmp_path: Path) -> None:
    path = written(tmp_path / "secrets.toml")
    found = read_secrets(path, {})
    assert found.urls == ("tgram://123456789:abcdefg_hijk/12315544", "json://localhost")
    assert (found.webhook_secret, found.ping_url) == (
        "0123456789abcdef",
        "https://hc.example/uuid-uuid",
    )
    environ = {
        "PAPERBOT_NOTIFY_URLS": "a://1 \n b://2",
        "PAPERBOT_NOTIFY_PING_URL": "https://other/x",
    }
    found = read_secrets(path, environ)
    assert (found.urls, found.ping_url) == (("a://1", "b://2"), "https://other/x")
    assert found.webhook_url.endswith("geheim123")
    assert read_secrets("", {"PAPERBOT_NOTIFY_FILE": path}).webhook_secret
    assert read_secrets("", {}).urls == ()


def test_nothing_is_shown_of_them(tmp_path: Path) -> None:
    assert repr(read_secrets(written(tmp_path / "s.toml"), {})) == "MessageSecrets()"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644, 0o777])
def test_a_file_that_others_may_read_or_change_is_refused(tmp_path: Path, mode: int) -> None:
    path = written(tmp_path / "s.toml", mode=mode)
    with pytest.raises(ConfigError, match=r"others may read or change it; chmod 600") as refused:
        read_secrets(path, {})
    assert "geheim" not in str(refused.value)
    # what systemd hands over it guards itself
    assert read_secrets(path, {"CREDENTIALS_DIRECTORY": str(tmp_path)}).webhook_secret


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('urls = "tgram://geheim', "it is no TOML"),
        ('token_geheim = "x"', "has a key that is none of urls"),
        ("urls = [1]", "urls is no text or list"),
        ('webhook_secret = 12', "webhook_secret is no text"),
        ('webhook_url = "geheim.example/x"', "webhook_url: is no address"),
        ('ping_url = "ftp://geheim"', "ping_url: is no address"),
        ('ping_url = "https://geheim:geheim@geheim.example/x"', "ping_url: has a user or password"),
        ('webhook_url = "https://geheim.example"\nwebhook_secret = "geheim"', "16 letters or more"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_without_the_secret(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as refused:
        read_secrets(written(tmp_path / "s.toml", text), {})
    assert "geheim" not in str(refused.value).replace(str(tmp_path), "")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file"):
        read_secrets(str(tmp_path / "none"), {})


@given(
    token=st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=8, max_size=30),
    around=st.text(" abc/:?", max_size=20),
)
def test_no_part_of_an_address_is_left_in_a_text(token: str, around: str) -> None:
    address = f"tgram://{token}:{token[::-1]}/{token}?key={token}"
    text = f"{around}{address}{around}{token} {token[::-1]}"
    assert token not in hidden(text, [address])


def test_the_environment_of_the_tests_has_none() -> None:
    assert not [name for name in os.environ if name.startswith("PAPERBOT_NOTIFY")]
