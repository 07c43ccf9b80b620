"""From forecast to ledger: conviction, rules, book, the broker's kernel, ledger."""
