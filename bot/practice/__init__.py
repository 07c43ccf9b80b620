"""A local stand-in for the exchange: the synthetic market, and a server that speaks Bybit's API."""
