"""What a network is made of.

encoders        what reads the features
architectures   how tasks share a network
heads           from the shared representation to each task's columns
own_heads       what each symbol adds to the shared heads
by_symbol       one network that knows the symbol of a row
tile_invariant_linear a linear layer with the same bits in any tile
snapshots       one network at several epochs, a task read from each
parameter_matching widths that give equal numbers of parameters
"""
