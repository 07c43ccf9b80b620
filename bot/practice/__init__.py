"""A local stand-in for the exchange: the synthetic market, and a server that speaks Bybit's API.

exchange        REST, stream and controls behind one port: start here
market          what is served at a moment
synthetic       the synthetic market: any bars in any order
synthetic_kernel its law, a bar at a time
recorded        recorded candles as a source
path            the path of the price inside a bar, and shorter candles cut from it
settlements     the funding that a block of bars stands for
rest            the REST endpoints
fine_rows       rows of shorter candles
queries         the parameters of a request, and refusing
instruments     what is said of symbols: order sizes, margin tiers
stream          the stream's clients, requests and ticks
connection      one client of the stream
publisher       what each topic says at each tick
wire            how Bybit writes things
faults          the ways in which it can fail
events          what befalls single symbols: delistings, halts, gaps
clock           wall time at any speed, or time that is told to move
"""
