"""From forecast to ledger: what is decided, filled, charged and booked.

conviction      forecasts to a signal
calibration     what signals were worth, from those whose horizon is over
agreement       how far an ensemble's members agree
full_account    what the plain account lacks, as numbers: margin, cash
order_rules     how orders meet the market, as numbers: sizes, stops, limits
rules           the rules of trading as numbers, as the kernel takes them
instruments     what an exchange says of a symbol: order sizes, margin tiers, funding, life
margin_tiers    the margin tiers that stand in where none were fetched
denomination    what a price is in, and whether an account can hold the symbol
book            the account, carried from bar to bar
correlation     how symbols move together, measured
market          what is read of a block of bars
margin          an account's margin as a reader sees it
coins           the coins of inverse contracts, beside the cash
broker          an account through bars: the way into the kernel
kernel          the compiled loop: fill, charge, mark, halt, size, order
policies        which side a symbol is worth
sizings         how large a position is
costs           what a fill costs
impact          how far an order moves the price
ticks           prices on an instrument's tick
own             a user's policy and cost scheme, compiled
funding         what funding is charged on
worth           what quantities are in the quote currency
hand            what a person's command does to the book
trace           what a call did, a row a bar
doubts          where the model is not to be traded on
limits          the limits of risk as numbers
reasons         why filled, refused, halted
ledger          the hash of a history, and the check that the books balance
"""
