"""Options that do not go together: refused in one message that names them."""

import unittest

from training import RefusalTest


class Combinations(RefusalTest):
    def test_every_pair_is_refused_by_name(self):
        descent = ["-dynamics", "descent"]
        pointwise = ["-model", "pointwise"]
        cases = [
            (["-depth", 0], ["-depth", "'0'"]),
            ([*pointwise, "-objective", "unrolled", "-depth", 0], ["-depth", "'0'"]),
            ([*pointwise, *descent, "-batch", 41], ["-batch 41", "40 training samples"]),
            ([*pointwise, *descent, "-train_samples", 9, "-batch", 10], ["-batch 10", "9 training samples"]),
            ([*pointwise, "-batch", 4], ["-batch 4", "-dynamics descent", "flow"]),
            ([*pointwise, "-dynamics", "minimise", "-batch", 4], ["-batch 4", "-dynamics descent", "minimise"]),
            ([*descent, "-batch", 4], ["-batch 4", "-objective collapsed"]),
            ([*pointwise, *descent, "-epochs", 2], ["-epochs 2", "-batch"]),
            (["-method", "adam"], ["-method adam", "-dynamics descent"]),
            ([*pointwise, "-objective", "collapsed"], ["-objective collapsed", "softmax_linear", "pointwise"]),
            (["-activation", "tanh"], ["-activation tanh", "linear", "-model pointwise"]),
            (["-weights", "free"], ["-weights free", "-model pointwise"]),
            (["-model", "monotone", "-weights", "free"], ["-weights free", "monotone"]),
            (["-input_weights", "true"], ["-input_weights", "-model pointwise"]),
            (["-width", 9], ["-width 9", "7 features"]),
            ([*pointwise, "-input_weights", "false", "-width", 9], ["-width 9", "7 features"]),
            ([*pointwise, "-width", 0], ["-width", "'0'"]),
            (["-model", "monotone", "-margin", 0], ["-margin", "'0'"]),
            ([*pointwise, "-objective", "unrolled", "-backward", "one_step"], ["-backward", "equilibrium", "unrolled"]),
            ([*pointwise, "-objective", "unrolled", "-jacobian_weight", 1], ["-jacobian_weight", "unrolled"]),
            ([*pointwise, "-mat_type", "aij"], ["-mat_type", "dense"]),
            (["-objective", "shallow", "-gradient_check", 1], ["-gradient_check", "shallow"]),
            ([*pointwise, "-recompute_every", 3], ["-recompute_every", "unrolled"]),
            ([*pointwise, "-dynamics", "minimise", "-backward", "neumann"], ["minimise", "-backward"]),
            ([*pointwise, "-audit", "true"], ["-audit true", "-model pointwise", "softmax_linear"]),
            ([*descent, "-method", "momentum", "-audit", "true"], ["-audit true", "-method"]),
            ([*pointwise, "-eq_snes_type", "forwardbackward"], ["forwardbackward", "relu or identity"]),
        ]
        for index, (options, words) in enumerate(cases):
            self.refuse(*options, words=words, ranks=(1, 3) if index % 5 == 1 else (1,))
        self.refuse(*pointwise, "-eq_snes_type", "forwardbackward", words=["forwardbackward"], ranks=(3,))


if __name__ == "__main__":
    unittest.main()
