"""Charts over time as small ES modules: for the report's page, which has them inline, and for `bot serve`.

element.js   elements whose text is always text
scale.js     scales and their ticks
series.js    how each kind of series is drawn
view.js      panes on one axis, with hover, zoom and keys
"""
