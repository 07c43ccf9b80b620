"""One thread at a time reads numpy's arrays.

numpy reads an array's header by `ast.literal_eval`. Under CPython 3.11 all threads count the depth of what they
parse in one place, so that two at once can end in "SystemError: AST constructor recursion depth mismatch"
(of the counter of python/cpython#95185; `bot serve` answered one in 100,000 requests so).
"""

from __future__ import annotations

from threading import RLock

reading_arrays = RLock()
"""To be held by whoever reads arrays in numpy's format."""
