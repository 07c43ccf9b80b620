"""Looks: the same sheets for the terminal and for the page.

sheets          a summary as rows of text
tables          the sheets for the terminal
html            the page, in one file that needs no network
money_pictures  equity, drawdown, what was held
head_pictures   forecasts against what came
insight_pictures importance, cosines, gates
svg             a figure as SVG that takes on the page's colours
downsample      long series, small enough to draw
"""
