from __future__ import annotations

from recfleet.models import Trainer, trainer_of
from recfleet.recipe import Recipe
from tests.models.contract import ModelContract


class TestAls(ModelContract):
    least_ndcg = 0.29

    def trainer(self, recipe: Recipe) -> Trainer:
        return trainer_of(recipe, "both")
