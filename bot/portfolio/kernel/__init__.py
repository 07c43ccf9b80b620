"""The kernel: one compiled loop over bars that fills, charges, marks, halts, sizes and orders.

Rules: every change of cash is a fill or funding; nothing is decided on a bar that was not tradable.
All is sequential, never fastmath, never parallel.

loop            what is done at each open and close, in which order
fills           pending orders filled, delayed, booked
booking         a fill in the books
contracts       what a quantity is worth, linear or inverse
partial         as much of an order as a bar fills, and its rest
quiet           bars inside which nothing happens
first_tiers     what holds of all that is small enough for its first tier
path            inside the bar: limit orders, stops, liquidation, in which order
limits          limit orders: met at the open, resting, traded through
stops           closed by what the price does inside the bar
read_well       where a stop would cost more than the margin that was gone before it
measured        volume and variance of a bar, for sizes and impact
cash            what of an order can be paid
margin          of contracts; liquidation inside the bar
funding         charged at the open and inside the bar
debts           coins owed are bought; an account below zero ends
halts           raised, lifted, obeyed
decide          signals to target quantities
caps            increases scaled so that a sum keeps its limit
blocking        what forbids to open or increase, and for how long
stages          of the drawdown; cool-downs
reducing        positions cut to limits that hold
settling        what ends is closed at its settlement price
orders          a target rounded to steps, and noted as pending
asked           a user's policy and cost scheme, and the records by which they are asked
observe         bars before the first trade
room            what a close works out
by_reference    named tuples handed on as one pointer
ahead           memory that fills will read, fetched before
by_address      a user's functions, called by their address
compiling       how all of it is compiled
"""
