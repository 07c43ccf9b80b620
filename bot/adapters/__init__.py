"""What touches the outside: the exchange, candle files, the journal, the model registry."""
