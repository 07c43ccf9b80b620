"""The multi-task model: arrays and tasks in, forecasts out; it knows no bars.

tasks           what the kinds of task mean to the model
dataset         labelled rows, their digest, their split
room            where large arrays lie, and work in spans of rows
scaler          standardising, by the training rows alone
networks        encoders, architectures and heads
training        losses, weightings, gradients, the epochs
distance        how far a bar is from the training rows
shrinkage       how much of a forecast to believe
trained         a trained model as plain data
forecaster      what the engine asks
predict         forecasts, the same bits however blocks are cut
row_forecasts   what a model says of the rows of a dataset
plain_learners  linear models and trees, to compare with
interpretation  what a network looks at
threads         how many threads torch computes with
device          where a training computes
"""
