"""Files of history: downloaded, imported, listed.

fetch           `bot fetch`: which symbol from where
fetch_bybit     the candle files of a Bybit symbol, grown at both ends
fetch_funding   a file of funding rates, grown likewise
fetch_yahoo     a file of Yahoo's daily bars
lifetime        since when and until when a symbol should have bars
holes           what is missing inside, and which requests would fill it
progress        what a download says of itself
importing       `bot import`: other layouts into our own
import_reading  what a file holds, in which layout
import_merging  rows of one series out of several files
listing         `bot data`: each file, its span, gaps and faults
unread          files that nobody reads, and why
"""
