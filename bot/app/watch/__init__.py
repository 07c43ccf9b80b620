"""`bot watch`: a run on a full screen, from the one reader of its record.

screen          the screen: panels, keys, when it looks again (textual, extra `watch`)
reading         all that a look needs, read at once; of the ledger only what is new
panels          what each panel shows
"""
