"""For the browser alone: the page's files, and series made small enough to draw.

Rule: nothing here is for programs; what they want is in the API, and this may change with the page.

addresses   the page's addresses
opening     from a one-time code to a cookie
drawn       equity and candles in as many points as a picture has, exact where they fit
bars        bars of whole runs, read once for drawing them from afar
foretold    forecasts with their intervals, and what came
compared    several runs on one axis, and their paired differences
"""
