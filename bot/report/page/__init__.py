"""Looks: the same sheets for the terminal and for the page.

sheet           what a table is
sheets          a summary as rows of text
skill_sheets    each head's measures against the baselines, as rows of text
calibration_sheets whether what was said came true as often, as rows of text
edge_sheets     what trading was worth, as rows of text
side_by_side    several runs as one sheet
verdict_view    the ten lines of the verdict for the terminal
tables          the sheets for the terminal
html            the page, in one file that needs no network
chart_data      what the page's charts draw, as JSON
market_data     its candles and its list of round trips, as JSON
chart           charts over time, as modules that `bot serve` has too
tear_sheets     the tear sheet, as rows of text
worth_pictures  the run among its controls, returns by size of edge
head_pictures   forecasts against what came
hexagons        how many points lie in each hexagon of a picture
insight_pictures importance, cosines, gates
svg             a figure as SVG that takes on the page's colours
small_picture   equity as a PNG, for messages
downsample      long series, small enough to draw
"""
