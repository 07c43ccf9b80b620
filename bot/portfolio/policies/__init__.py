"""Policies: which side a symbol is worth at a close. What each decides is one module.

threshold       the document's rule: the signal against a threshold, at every bar
edge            the calibrated edge against its cost, held for the horizon
hysteresis      in beyond one threshold, out within another
momentum        the sign of the last bars' return; needs no model
asked           a policy of a user's own, called by pointer
sides           whichever is in force: what `decide` and `halts` ask
carried         what the shipped ones carry from bar to bar, by name
"""
