"""Many trainings held side by side, walk-forward.

compare         `bot compare`, from settings to a verdict: start here
finished        `bot compare --runs`: finished runs side by side
discover        `bot discover`: which further targets help the main heads
contenders      the settings that compete, from files or a preset
walk            folds, and when trainings are due before and inside them
data            bars and features, and what each training may see of them
cross_validation  `bot compare --cv combinatorial`, from settings to the paths' table
combinatorial   a market cut for it, and what each path comes to
splits          its groups, splits and paths, and what a split may train on
folds           a fold as a file that workers read
unit            one training: a contender, a fold, a seed
trainings       those that are still to be done, through an executor
judging         from its forecasts to a comparison
groups          what as few networks as the bot trades come to
account         the paper account of a contender
trials          a comparison as an entry in the register of trials
setting         what a comparison was made of, in words
"""
