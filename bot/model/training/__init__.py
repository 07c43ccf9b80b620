"""From rows to a trained network.

train           from a dataset to a trained model: start here
descent         the epochs: batches, steps, validation
losses          the loss of each task, over labelled rows
weighting       losses to terms whose sum is descended
gradients       the tasks' gradients to one
curriculum      which tasks are trained when
stopping        when it stops, and which epoch is kept
"""
