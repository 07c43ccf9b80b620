"""Bybit's public market data, by REST and by stream, through pybit.

exchange        the whole as the daemon sees it: start here
opening         from settings to that whole: clients, threads, clock, sockets
rest            history by REST: candles, mark prices, funding, instruments
tickers         the REST client with what only a live run asks: quotes now
asking          one request: a session, its turn, and when to ask again
retry           the limiter, the back-off and the verdict on an error
http            the HTTP beneath pybit, bounded in size, time and place
instruments     raw JSON to instruments and margin tiers
answers         raw JSON to rows and numbers: what is refused of an answer
stream          the supervised stream: connect, subscribe, watch, begin anew
subscriptions   symbol by symbol: heard, refused, silent, asked again
links           which connections and topics a set of symbols needs
socket          one connection of pybit, whose thread only fills an inbox
frames          text of the stream to events
polling         live bars without a stream
clock           the exchange's time by our clock
present         how late it is at the exchange, as its candles show
hosts           where Bybit answers, by region
probe           whether a host answers, and what time it has, for `bot doctor`
threads         blocking calls beside the loop
"""
