"""The models of the Python package are the models of the runs: the same losses, accuracies and outputs, for every
model."""

import unittest

import numpy as np

from python_package import STEPS, ModelsTest, poise, predictions

from poise.equilibrium import solve_equilibria  # noqa: E402  (python_package has set the path)

# Equilibria are solved to 1e-12 on both sides.
AGREEMENT = 1e-10


class Models(ModelsTest):
    def test_every_model_has_the_losses_and_accuracies_of_the_run(self):
        for case, run in self.opened_cases():
            with self.subTest(case):
                for step in range(STEPS + 1):
                    self.assert_same_scores(run, run.data(), step)

    def assert_same_scores(self, run, data, step):
        model, stored = run.model(step), run.history
        row = list(stored["step"]).index(step)
        sets = {"train": (data.train, model.class_weights(data.train.labels), stored["loss"], stored["train_accuracy"])}
        if data.test:
            sets["test"] = (data.test, None, stored["test_loss"], stored["test_accuracy"])
        for samples, weights, loss, accuracy in sets.values():
            score = model.score(samples, weights)
            np.testing.assert_allclose(score.loss, loss[row], rtol=AGREEMENT)
            np.testing.assert_equal(score.accuracy, accuracy[row])

    def test_equilibria_are_solved_and_explicit_networks_have_no_residual(self):
        for case, run in self.opened_cases():
            with self.subTest(case):
                model, x = run.model(), run.data().train.features
                forward = model.forward(x)
                np.testing.assert_array_equal(forward.outputs, model(x))
                if run.config["objective"] in ("equilibrium", "collapsed"):
                    self.assertEqual(forward.residuals.shape, (len(x),))
                    self.assertLess(forward.residuals.max(), 1e-12)
                else:
                    self.assertIsNone(forward.residuals)

    def test_outputs_are_those_of_poise_predict(self):
        for case, run in self.opened_cases():
            with self.subTest(case):
                data, model = poise.read_data(run.config["data"]), run.model()
                predicted, samples = predictions(run.directory, data.path), data.train
                outputs = model(samples)
                np.testing.assert_allclose(outputs, predicted["outputs"], rtol=0,
                                           atol=AGREEMENT * np.abs(outputs).max())
                self.assertEqual(model.classes > 0, "predicted" in predicted)
                if model.classes:
                    np.testing.assert_array_equal(model.predict(samples), predicted["predicted"])
                if "probabilities" in predicted:
                    np.testing.assert_allclose(model.probabilities(samples), predicted["probabilities"], rtol=0,
                                               atol=AGREEMENT)

    def test_probabilities_of_classifiers(self):
        for case, run in self.opened_cases():
            model, x = run.model(), run.data().train.features
            with self.subTest(case):
                if run.config["loss"] == "squared":
                    self.assertRaisesRegex(poise.Error, "-loss squared gives no probabilities", model.probabilities, x)
                    continue
                probabilities = model.probabilities(x)
                np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-14)
                np.testing.assert_array_equal(probabilities.argmax(axis=1), model.predict(x))


class Equilibria(unittest.TestCase):
    def test_hard_equations_are_solved(self):
        """Close to instability, where plain iteration takes thousands of steps, and with large weights."""
        random = np.random.default_rng(0)
        a, u = random.normal(size=(40, 40)), random.normal(size=(25, 40))
        softmax = 0.999 * np.exp(a) / np.exp(a).sum(axis=0)
        p = random.normal(size=(40, 40))
        monotone = 0.99 * np.eye(40) - p.T @ p + 5 * (a - a.T)
        for weights in (softmax, monotone):
            for activation in ("identity", "tanh", "relu", "leaky_relu", "softplus", "sigmoid"):
                with self.subTest(activation):
                    z, residuals = solve_equilibria(weights, u, activation)
                    self.assertEqual(z.shape, u.shape)
                    self.assertLess(residuals.max(), 1e-12)

    def test_an_equation_without_a_solution_is_an_error_that_names_the_sample(self):
        u = np.array([[-1.0], [1.0]])  # z = relu(2z − 1) has a solution, z = relu(2z + 1) has none
        with self.assertRaisesRegex(poise.ConvergenceError, "equilibrium of sample 1 was not found") as caught:
            solve_equilibria(np.array([[2.0]]), u, "relu")
        self.assertLess(caught.exception.residuals[0], 1e-12)
        self.assertGreater(caught.exception.residuals[1], 1e-3)
        self.assertRaises(poise.ConvergenceError, solve_equilibria, np.eye(1), u, "identity")  # a singular matrix


if __name__ == "__main__":
    unittest.main()
