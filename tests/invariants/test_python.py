"""The Python package on runs of poise-train: what it reads is what the files hold, and its models are the models of the runs."""

import os
import unittest
import warnings

import h5py
import numpy as np

from python_package import STEPS, ModelsTest, poise
from training import DIGITS, checkpoints, train

# Equilibria are solved to 1e-12 on both sides.
AGREEMENT = 1e-10


class Models(ModelsTest):
    def test_the_forward_pass_of_every_model_gives_the_losses_and_accuracies_of_the_run(self):
        for case, run in self.opened_cases():
            with self.subTest(case):
                for step in range(STEPS + 1):
                    self.assert_same_scores(run, run.data(), step)

    def assert_same_scores(self, run, data, step):
        model, history = run.model(step), run.history
        row = list(history["step"]).index(step)
        weights = model.class_weights(data.train.labels) if data.classes else None
        train = model.score(data.train, weights)
        np.testing.assert_allclose(train.loss, history["loss"][row], rtol=AGREEMENT)
        np.testing.assert_equal(train.accuracy, history["train_accuracy"][row])
        if data.test:
            test = model.score(data.test)
            np.testing.assert_allclose(test.loss, history["test_loss"][row], rtol=AGREEMENT)
            np.testing.assert_equal(test.accuracy, history["test_accuracy"][row])


if __name__ == "__main__":
    unittest.main()
