"""Features as kernels over carried state, and the targets with the bar at which each is known."""

from bot.features.catalogue import Feature
from bot.features.pipeline import FeaturePipeline, FeatureState
from bot.features.targets import compute_targets, target_tasks

__all__ = ["Feature", "FeaturePipeline", "FeatureState", "compute_targets", "target_tasks"]
