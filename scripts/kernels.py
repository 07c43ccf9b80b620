"""Compile what the tests share, before their workers start: the kernel of each kind of account.

Rule: it is kept on disk, so it is done once; two workers that find none compile it both.
"""

from __future__ import annotations

from bot.app.loop.warmup import compile_kernels
from bot.config import load_config
from bot.portfolio.broker import compile_kernel
from bot.portfolio.rules import rules_from
from bot.practice.synthetic import symbol_names


def main() -> None:
    """Compile the full account's kernel with all that a bar needs, then the plain account's."""
    compile_kernels()
    rules = rules_from(load_config(None, [], environ={}), symbol_names(1))
    compile_kernel(rules._replace(full=None))


if __name__ == "__main__":
    main()
