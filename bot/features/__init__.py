"""Features as kernels over carried state, and the targets with the bar at which each is known.

catalogue       the features there are, and how many bars each needs
pipeline        the features of a run, their state, and advancing it
groups          groups of features, each with arrays of its own
library         such groups to choose from
kernels         the compiled loop over bars
long_windows    features over long windows of returns
running_sums    sums over long windows, exact
carried         what the kernels carry, and how it is laid out
called          a user's function, called over windows of bars
own             features of a user's own, called over the last bars
own_targets     targets of a user's own
lookback        the last L ready bars, for models that read windows
targets         the targets, and when each label is known
auxiliary       further targets
"""

from bot.features.catalogue import Feature
from bot.features.pipeline import FeaturePipeline, FeatureState
from bot.features.targets import compute_targets, target_tasks

__all__ = ["Feature", "FeaturePipeline", "FeatureState", "compute_targets", "target_tasks"]
