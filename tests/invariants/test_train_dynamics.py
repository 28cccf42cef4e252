"""A resumed run of every dynamics equals an uninterrupted run: bit by bit on the same ranks, to rounding on different ranks
and grids, from a scheduled checkpoint and from a checkpoint by the clock."""

import itertools
import os
import unittest

import numpy as np

from training import WORK, TrainingTest, checkpoints, history, moments

# Uninterrupted runs on different ranks and grids differ as much: by the order of sums, and by solves to 1e-12.
ROUNDING = 1e-10
SCHEDULED, BETWEEN = 4, 6
# A checkpoint at every step (by the clock); every fourth checkpoint is a scheduled one.
CHECKPOINTS = ["-checkpoint_every", 4, "-checkpoint_seconds", 1e-9, "-checkpoint_keep", 0]

NETWORK = ["-model", "pointwise", "-width", 6, "-loss", "cross_entropy"]
DESCENT = [*NETWORK, "-dynamics", "descent", "-step_size", 0.05]
BATCHES = [*DESCENT, "-batch", 7, "-audit_every", 1]  # 6 batches per epoch
# The weights leave the region where the map contracts: the third step fails twice, and the step size stays halved.
BACKTRACKING = ["-model", "pointwise", "-width", 6, "-loss", "logistic", "-weights", "free", "-gamma", 0.95,
                "-eq_ladder", "false", "-eq_snes_type", "picard", "-eq_snes_max_it", 400,
                "-dynamics", "descent", "-step_size", 8, "-seed", 2, "-on_failure", "backtrack"]

# Name: (data, options, vectors that a checkpoint must hold). Runge-Kutta 5f and 5dp: test_train_resume.py.
DYNAMICS = {
    "flow 3bs": ("regression", ["-flow_ts_rk_type", "3bs"], set()),
    "flow, digital filter": ("regression", ["-flow_ts_adapt_type", "dsp"], set()),
    "flow, fixed steps": ("regression", ["-flow_ts_adapt_type", "none", "-flow_ts_dt", 0.02], set()),
    "flow of a network": ("classes", NETWORK, set()),
    "flow of spectral weights": ("classes", [*NETWORK, "-weights", "spectral", "-init_scale_a", 4], set()),
    "gradient, unrolled, steps": (
        "classes", [*BATCHES, "-schedule", "step", "-schedule_every", 3, "-weight_decay", 0.1, "-weights", "spectral",
                    "-init_scale_a", 4, "-objective", "unrolled", "-depth", 3], set()),
    "momentum, minibatches, cosine": (
        "classes", [*BATCHES, "-method", "momentum", "-schedule", "cosine", "-schedule_warmup", 3], {"momentum"}),
    "nesterov, clipping": ("classes", [*DESCENT, "-method", "nesterov", "-clip", 0.05], {"momentum"}),
    "adam, minibatches, linear": (
        "classes", [*BATCHES, "-method", "adam", "-schedule", "linear", "-weight_decay", 0.1, "-clip", 0.3],
        {"adam_first", "adam_second"}),
    "gradient, backtracking": ("binary", BACKTRACKING, set()),
}
WARM = {"flow of a network", "momentum, minibatches, cosine", "nesterov, clipping", "adam, minibatches, linear"}
GRIDS = [((2, 1), (4, 2)), ((1, 1), (3, 1)), ((3, 3), (2, 1))]  # (ranks, feature ranks), before and after
STEPS = 10


class Dynamics(TrainingTest):
    def cut(self, run, step):
        """A copy with the checkpoints up to a step, as if the run had been killed then."""
        part = self.copy_run(run)
        for path in checkpoints(part):
            if int(path[-11:-3]) > step:
                os.remove(path)
        self.assertTrue(checkpoints(part)[-1].endswith(f"step-{step:08d}.h5"))
        os.remove(os.path.join(part, "DONE"))
        return part

    def assert_same(self, run, other, tolerance=0.0, ignored=frozenset({"wall_seconds"})):
        self.assert_same_history(run, other, tolerance, ignored)
        self.assert_same_parameters(run, other, tolerance)
        left, right = moments(checkpoints(run)[-1]), moments(checkpoints(other)[-1])
        self.assertEqual(set(left), set(right))
        for name in left:
            np.testing.assert_allclose(left[name], right[name], rtol=0, atol=tolerance * np.abs(left[name]).max())

    def straight(self, name, grid, warm):
        data, options, vectors = DYNAMICS[name]
        run = self.train("-data", getattr(self, data), "-time", 1e9, "-steps", STEPS, *options, *CHECKPOINTS,
                         *([] if "unrolled" in options else ["-warm_start", warm]), "-grid_feature_ranks", grid[1],
                         ranks=grid[0])
        self.assertEqual(history(run)["step"][-1], STEPS)
        self.assertEqual({found.split("/")[0] for found in moments(checkpoints(run)[-1])}, vectors)
        return run

    def resumed(self, straight, step, grid):
        run = self.cut(straight, step)
        self.train("-resume", "-grid_feature_ranks", grid[1], ranks=grid[0], run=run)
        return run

    def test_every_dynamics_goes_on(self):
        grids = itertools.cycle(GRIDS)
        for name in DYNAMICS:
            grid, other_grid = next(grids)
            with self.subTest(dynamics=name, grids=(grid, other_grid)):
                # With warm starts, exact only from scheduled checkpoints: see apps/README.md.
                straight = self.straight(name, grid, warm=str(name in WARM).lower())
                self.assert_same(straight, self.resumed(straight, SCHEDULED, grid))
                if name in WARM:
                    straight = self.straight(name, grid, warm="false")
                self.assert_same(straight, self.resumed(straight, BETWEEN, grid))
                self.assert_same(straight, self.resumed(straight, BETWEEN, other_grid), ROUNDING, WORK)
                if name == "gradient, backtracking":  # the step size stayed halved
                    np.testing.assert_array_equal(history(straight)["step_size"][[0, SCHEDULED, STEPS]], [8, 2, 2])


if __name__ == "__main__":
    unittest.main()
