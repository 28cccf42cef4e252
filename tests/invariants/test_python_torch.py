"""TorchModel computes the outputs of the numpy model, and its gradient is the gradient of poise-train."""

import os
import unittest

import numpy as np

from python_package import STEPS, GraphModelsTest, ModelsTest, poise, require

require("torch")
import torch  # noqa: E402  (after the check that it is there)

AGREEMENT = 1e-10
# A step of descent is the difference of two parameters of size 1, divided by a step size of 0.01.
STEP = 1e-8


def sample_losses(loss, outputs, samples, shift, scale):
    """The loss of every sample, by torch's own functions."""
    if loss == "cross_entropy":
        return torch.nn.functional.cross_entropy(outputs, torch.tensor(samples.labels), reduction="none")
    if loss == "logistic":
        targets = torch.tensor(samples.labels, dtype=torch.float64)
        return torch.nn.functional.binary_cross_entropy_with_logits(outputs[:, 0], targets, reduction="none")
    answers = samples.targets if samples.labels is None else np.eye(outputs.shape[1])[samples.labels]
    return (((outputs - torch.tensor(answers)) / scale) ** 2).sum(dim=1)


class Gradients:
    """Outputs and gradients of modules, for tests."""

    def assert_same(self, run, samples, step, x):
        """`x`: what the module takes for these samples."""
        model, next_model = run.model(step), run.model(step + 1)
        module = model.to_torch()
        outputs = module(x)
        expected = model(samples)
        self.assertLessEqual(np.abs(outputs.detach().numpy() - expected).max(), AGREEMENT * np.abs(expected).max())

        losses = sample_losses(run.config["loss"], outputs, samples, model.shift, model.scale)
        weights = model.class_weights(samples.labels)
        if weights is not None:
            losses = losses * torch.tensor(weights[samples.labels])
        (losses.mean() if run.config["loss_scale"] == "mean" else losses.sum()).backward()
        self.assert_gradients(model, next_model, module, run.config["step_size"])

    def assert_gradients(self, model, next_model, module, step_size):
        taken = {name: (values - next_model.parameters[name]) / step_size for name, values in model.parameters.items()}
        largest = max(np.abs(values).max() for values in taken.values())
        for name, parameter in module.named_parameters():
            np.testing.assert_allclose(parameter.grad.numpy(), taken[name], rtol=0, atol=STEP * largest, err_msg=name)


class Torch(ModelsTest, Gradients):
    def test_outputs_and_gradients_of_every_model(self):
        for case, run in self.opened_cases():
            with self.subTest(case):
                for step in range(STEPS):
                    samples = run.data().train
                    self.assert_same(run, samples, step, samples.features)

    def test_derivatives_with_respect_to_samples_are_exact(self):
        for case, run in self.opened_cases():
            if "relu" in case:  # central differences are wrong across a kink
                continue
            with self.subTest(case):
                module = run.model().to_torch()
                x = torch.tensor(run.data().train.features[:2], requires_grad=True)
                self.assertTrue(torch.autograd.gradcheck(module, (x,)))

    def test_second_derivatives_are_refused(self):
        module = poise.open_run(os.path.join(self.ensemble, "case-0")).model().to_torch()
        gradient, = torch.autograd.grad(module(np.ones((1, module.mean.numel()))).sum(), module.A, create_graph=True)
        with self.assertRaisesRegex(RuntimeError, "once_differentiable"):
            gradient.sum().backward()

    def test_an_equilibrium_that_is_not_found_is_an_error(self):
        run = next(run for case, run in self.opened_cases() if "'free', '-activation', 'identity'" in case)
        module = run.model().to_torch()
        with torch.no_grad():
            module.A[:] = torch.eye(len(module.A)) / run.config["gamma"]  # W = I: z = z + u has no solution
        self.assertRaises(poise.ConvergenceError, module, run.data().train.features)


class Graphs(GraphModelsTest, Gradients):
    def test_outputs_and_gradients_of_every_model(self):
        for case, run in self.opened_cases():
            with self.subTest(case):
                for step in range(STEPS):
                    nodes = run.data().train
                    self.assert_same(run, nodes, step, nodes)

    def test_derivatives_with_respect_to_features_are_exact(self):
        for case, run in self.opened_cases():
            if "relu" in case or "knn" in case:  # kinks; whitened features of size 1e8, the others are enough
                continue
            with self.subTest(case):
                module, data = run.model().to_torch(), run.data()
                nodes = data.choose([2, 5])
                x = torch.tensor(data.features, requires_grad=True)
                torch.manual_seed(0)
                direction = torch.randn_like(x)
                outputs = module(nodes, x)
                np.testing.assert_allclose(outputs.detach().numpy(), run.model()(nodes), rtol=1e-10)
                gradient, = torch.autograd.grad(outputs.square().sum(), x)
                ahead, behind = (module(nodes, x.detach() + t * direction).square().sum() for t in (1e-5, -1e-5))
                expected = float(ahead - behind) / 2e-5
                self.assertAlmostEqual(float((gradient * direction).sum()), expected, delta=1e-6 * max(1, abs(expected)))

    def test_second_derivatives_are_refused(self):
        run = self.opened_cases()[0][1]
        module = run.model().to_torch()
        gradient, = torch.autograd.grad(module(run.data()).sum(), module.A, create_graph=True)
        with self.assertRaisesRegex(RuntimeError, "once_differentiable"):
            gradient.sum().backward()


if __name__ == "__main__":
    unittest.main()
