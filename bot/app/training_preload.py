"""Imported once by the server that trainings are forked from, so that each worker starts warm."""

from __future__ import annotations

from bot.app.training_warmup import warm_up
from bot.model.threads import single_thread

single_thread()
warm_up()
