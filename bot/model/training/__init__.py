"""From rows to a trained network.

train           from a dataset to a trained model: start here
rows            the rows of a training, and their batches
course          the epochs as they are judged, and which is kept
descent         the epochs of one network: its batches, and a step for each
autograd        the steps by autograd
by_hand         the same without it, for some networks
losses          the loss of each task, over labelled rows
weighting       losses to terms whose sum is descended
gradients       the tasks' gradients to one
curriculum      which tasks are trained when
emphasis        which rows count how much
schedule        the step size over the epochs
stopping        when it stops, and which epoch is kept
"""
