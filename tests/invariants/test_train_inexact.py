"""The run file labels inexact gradients, and -gradient_check compares them with the exact gradient."""

import unittest

import numpy as np

from training import TrainingTest, attributes, history

NETWORK = ["-model", "pointwise", "-width", 10, "-dynamics", "descent", "-step_size", 0.02, "-steps", 4,
           "-gradient_check", 1]


class Inexact(TrainingTest):
    def check(self, *options, ranks=1):
        run = self.train("-data", self.regression, *NETWORK, *options, ranks=ranks)
        h = history(run)
        return attributes(run)["gradient"], h["gradient_cosine"], h["gradient_error"]

    def test_the_error_falls_with_the_terms(self):
        errors = []
        for backward in (["one_step"], ["neumann", "-neumann_terms", 3], ["neumann", "-neumann_terms", 12]):
            label, cosine, error = self.check("-backward", *backward, ranks=2)
            self.assertTrue(label.startswith("inexact: "), label)
            self.assertTrue((cosine > 0).all() and (cosine <= 1 + 1e-14).all(), cosine)
            errors.append(error)
        for worse, better in zip(errors, errors[1:]):
            self.assertTrue((better < worse).all(), f"{worse} {better}")
        self.assertGreater(errors[0].min(), 1e-3)

    def test_the_exact_gradient(self):
        for more in ([], ["-batch", 9, "-audit_every", 1], ["-jacobian_weight", 0.2]):
            label, cosine, error = self.check(*more, ranks=2)
            self.assertEqual(label, "exact")
            self.assertLess(error.max(), 1e-8)
            np.testing.assert_allclose(cosine, 1, atol=1e-12)

    def test_every_third_recorded_step(self):
        run = self.train("-data", self.regression, *NETWORK, "-steps", 8, "-audit_every", 2, "-gradient_check", 3)
        measured = ~np.isnan(history(run)["gradient_error"])
        np.testing.assert_array_equal(history(run)["step"][measured], [0, 6])

    def test_the_penalty_is_recorded_and_falls(self):
        options = ["-data", self.regression, "-model", "monotone", "-width", 10, "-dynamics", "descent", "-steps", 20]
        penalty = history(self.train(*options, "-jacobian_weight", 1.0))["penalty"]
        self.assertGreater(penalty.min(), 0)
        self.assertLess(penalty[-1], penalty[0])
        self.assertTrue(np.isnan(history(self.train(*options))["penalty"]).all())


if __name__ == "__main__":
    unittest.main()
