"""What a backtest and a training hold in memory, by the number of symbol-bars.

| module | owns |
|---|---|
| `market` | candle files of a synthetic market of any size |
| `watching` | a command, and the largest memory of its processes while it runs |
"""
