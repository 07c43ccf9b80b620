"""Settings: the sections, their loading from file, environment and command line, their checks."""

from bot.config.load import Config, flatten, load_config, to_toml

__all__ = ["Config", "flatten", "load_config", "to_toml"]
