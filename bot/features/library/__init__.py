"""Features to choose from beside the core ones, one idea a module; `features.names` names them.

They are groups (`bot.features.groups`): a module makes one, and enters its features with what each is.

nested_windows  volatilities and scaled returns over a symbol's last bars
realised        volatilities from shorter candles inside the bars
market          returns of all symbols together, and how many of them rise
coarser         4 hours and days, made of the run's bars
funding         what longs pay, and the mark price against the last
seasons         volume and range at the same hour of the days before
"""
