"""The figures, tables and transcripts of README and docs, written into them by commands."""
