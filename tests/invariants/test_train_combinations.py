"""Options that do not go together: refused in one message that names them."""

import os
import unittest

from training import RefusalTest


DESCENT = ["-dynamics", "descent"]
MINIMISE = ["-dynamics", "minimise"]
POINTWISE = ["-model", "pointwise"]
MONOTONE = ["-model", "monotone"]
COLLAPSED, UNROLLED, FEEDFORWARD, SHALLOW = (["-objective", name] for name in (
    "collapsed", "unrolled", "feedforward", "shallow"))

# Chosen options; an option that has no effect beside them; the reason in the message; the cure in the message.
WITHOUT_EFFECT = [
    # the network
    (FEEDFORWARD, "-model monotone", "-objective feedforward", "-objective equilibrium"),
    (SHALLOW, "-model pointwise", "-objective shallow", "-objective equilibrium or unrolled"),
    (COLLAPSED, "-model pointwise", "-objective collapsed", "-objective equilibrium or unrolled"),
    ([], "-weights free", "-model softmax_linear", "-model pointwise"),
    (MONOTONE, "-weights free", "-model monotone", "-model pointwise"),
    (FEEDFORWARD, "-weights free", "-objective feedforward", "-objective equilibrium"),
    ([], "-activation tanh", "-model softmax_linear", "-model pointwise, monotone or graph"),
    (SHALLOW, "-activation tanh", "-objective shallow", "-objective feedforward"),
    (MONOTONE, "-gamma 0.5", "-model monotone", "-model softmax_linear, pointwise or graph"),
    (FEEDFORWARD, "-gamma 0.5", "-objective feedforward", "collapsed"),
    (POINTWISE, "-margin 0.2", "-model pointwise", "-model monotone"),
    ([], "-margin 0.2", "-model softmax_linear", "-model monotone"),
    ([], "-input_weights true", "-model softmax_linear", "-model pointwise"),
    (FEEDFORWARD, "-bias true", "-objective feedforward", "-objective equilibrium"),
    (SHALLOW, "-init_scale_a 2", "-objective shallow", "feedforward"),
    ([], "-init_scale_v 2", "-input_weights false", "-input_weights true"),
    ([*POINTWISE, "-input_weights", "false"], "-init_scale_v 2", "-input_weights false", "-input_weights true"),
    (FEEDFORWARD, "-init_scale_v 2", "-objective feedforward", "-objective equilibrium"),
    # the objective
    ([], "-depth 3", "-objective equilibrium", "-objective unrolled or feedforward"),
    (POINTWISE, "-recompute_every 3", "-objective equilibrium", "-objective unrolled"),
    (COLLAPSED, "-warm_start false", "-objective collapsed", "-objective equilibrium"),
    ([*POINTWISE, *UNROLLED], "-backward one_step", "-objective unrolled", "-objective equilibrium"),
    ([*POINTWISE, *MINIMISE], "-backward neumann", "-dynamics minimise", "-dynamics flow or descent"),
    ([], "-neumann_terms 3", "-backward exact", "-backward neumann"),
    (["-backward", "one_step"], "-neumann_terms 3", "-backward one_step", "-backward neumann"),
    (COLLAPSED, "-gradient_check 1", "-objective collapsed", "-objective equilibrium or unrolled"),
    (SHALLOW, "-gradient_check 1", "-objective shallow", "-objective equilibrium or unrolled"),
    ([*POINTWISE, *UNROLLED], "-jacobian_weight 1", "-objective unrolled", "-objective equilibrium"),
    (COLLAPSED, "-eq_panel 8", "-objective collapsed", "-objective equilibrium"),
    (["-loss", "cross_entropy"], "-scale_targets false", "-loss cross_entropy", "-loss squared"),
    # its solvers
    (COLLAPSED, "-eq_snes_rtol 1e-9", "-objective collapsed", "-objective equilibrium"),
    (COLLAPSED, "-adj_ksp_rtol 1e-9", "-objective collapsed", "-objective equilibrium"),
    (COLLAPSED, "-eq_ladder false", "-objective collapsed", "-objective equilibrium"),
    (UNROLLED, "-eq_float32 false", "-objective unrolled", "-gradient_check other than 0"),
    (["-eq_snes_type", "newtonls"], "-eq_float32 false", "-eq_snes_type newtonls", "-eq_snes_type meanfield or composite"),
    ([], "-eq_alpha 0.5", "the default of -eq_snes_type", "-eq_snes_type forwardbackward or peacemanrachford"),
    (["-backward", "one_step"], "-adj_ksp_type gmres", "-backward one_step", "-backward exact"),
    (POINTWISE, "-collapsed_ksp_rtol 1e-9", "-audit false", "-objective collapsed"),
    (["-audit", "false"], "-spec_eps_tol 1e-6", "-audit false", "-audit true"),
    (DESCENT, "-flow_ts_rtol 1e-6", "-dynamics descent", "-dynamics flow"),
    ([], "-min_tao_type cg", "-dynamics flow", "-dynamics minimise"),
    # the features
    (["-features", "identity"], "-features_width 3", "-features identity", "-features whiten"),
    (["-features", "identity"], "-features_zca true", "-features identity", "-features whiten"),
    (["-features", "random_relu"], "-features_rank_cut 0.1", "-features random_relu", "-features whiten"),
    (["-features", "random_relu"], "-features_standardise false", "-features random_relu", "-features whiten"),
    ([], "-features_bandwidth 2", "-features whiten", "-features random_fourier"),
    # the training
    (MINIMISE, "-time 3", "-dynamics minimise", "-dynamics flow or descent"),
    ([*DESCENT, "-batch", 4, "-epochs", 2], "-time 3", "-epochs 2", "-epochs 0"),
    ([*POINTWISE, *DESCENT], "-epochs 2", "-batch 0", "-batch other than 0"),
    (POINTWISE, "-batch 4", "-dynamics flow", "-dynamics descent"),
    ([*POINTWISE, *MINIMISE], "-batch 4", "-dynamics minimise", "-dynamics descent"),
    ([*COLLAPSED, *DESCENT], "-batch 4", "-objective collapsed", "-objective equilibrium"),
    (DESCENT, "-batch_remainder keep", "-batch 0", "-batch other than 0"),
    (MINIMISE, "-step_size 0.1", "-dynamics minimise", "-dynamics descent"),
    ([], "-method adam", "-dynamics flow", "-dynamics descent"),
    ([], "-momentum 0.5", "-dynamics flow", "-dynamics descent"),
    (DESCENT, "-momentum 0.5", "-method gradient", "-method momentum or nesterov"),
    (DESCENT, "-adam_beta1 0.5", "-method gradient", "-method adam"),
    ([*DESCENT, "-method", "momentum"], "-adam_epsilon 1e-6", "-method momentum", "-method adam"),
    (MINIMISE, "-weight_decay 0.1", "-dynamics minimise", "-dynamics descent"),
    ([], "-clip 1", "-dynamics flow", "-dynamics descent"),
    ([], "-schedule cosine", "-dynamics flow", "-dynamics descent"),
    (DESCENT, "-schedule_every 3", "-schedule constant", "-schedule step"),
    (DESCENT, "-schedule_factor 0.5", "-schedule constant", "-schedule cosine, step or linear"),
    ([], "-schedule_warmup 3", "-dynamics flow", "-dynamics descent"),
    ([], "-on_failure backtrack", "-dynamics flow", "-dynamics descent"),
]


class Combinations(RefusalTest):
    def test_options_without_effect_are_refused_by_name(self):
        for index, (chosen, given, against, cure) in enumerate(WITHOUT_EFFECT):
            self.refuse(*chosen, *given.split(), words=[f"{given} does not go with ", against, "leave it out, or give ", cure],
                        ranks=(1, 3) if index % 9 == 0 else (1,))

    def test_one_message_names_all_of_them(self):
        self.refuse(*MONOTONE, *FEEDFORWARD, "-margin", 0.3, "-momentum", 0.5, ranks=(1, 3),
                    words=["-model monotone does not", "; -margin 0.3 does not", "; -momentum 0.5 does not"])

    def test_options_that_repeat_a_default_pass(self):
        """Recorded options of a run pass, too, also options without effect of a run of 0.1.0, which did not refuse them."""
        run = self.train("-data", self.regression, "-steps", 1, "-gamma", "0.80", "-momentum", 0.9, "-depth", 10, "-backward",
                         "exact", "-eq_float32", "true", "-margin", 0.5, *MINIMISE)
        self.train("-options_file", os.path.join(run, "options.txt"))
        for options in ([*POINTWISE, "-width", 5], [*FEEDFORWARD, "-width", 5], SHALLOW, COLLAPSED, MONOTONE):
            with self.subTest(options=options):
                run = self.train("-data", self.regression, "-steps", 1, *options)
                self.train("-options_file", os.path.join(run, "options.txt"))
                with open(os.path.join(run, "options.txt"), encoding="utf-8") as file:
                    text = file.read().replace("-on_failure stop", "-on_failure backtrack")
                with open(os.path.join(run, "options.txt"), "w", encoding="utf-8") as file:
                    file.write(text)
                self.train("-resume", "-steps", 2, run=run)

    def test_a_member_of_an_ensemble_is_named(self):
        table = self.path("table.txt")
        with open(table, "w", encoding="utf-8") as file:
            file.write("good: -gamma 0.5\nbad: -momentum 0.5\n")
        self.refuse("-ensemble", table, "-ensemble_ranks", 1, words=["table.txt:2 (bad)", "-momentum 0.5 does not go with"])

    def test_every_pair_is_refused_by_name(self):
        descent = ["-dynamics", "descent"]
        pointwise = ["-model", "pointwise"]
        cases = [
            (["-depth", 0], ["-depth", "'0'"]),
            ([*pointwise, "-objective", "unrolled", "-depth", 0], ["-depth", "'0'"]),
            ([*pointwise, *descent, "-batch", 41], ["-batch 41", "40 training samples"]),
            ([*pointwise, *descent, "-train_samples", 9, "-batch", 10], ["-batch 10", "9 training samples"]),
            (["-width", 9], ["-width 9", "7 features"]),
            ([*pointwise, "-input_weights", "false", "-width", 9], ["-width 9", "7 features"]),
            ([*pointwise, "-width", 0], ["-width", "'0'"]),
            (["-model", "monotone", "-margin", 0], ["-margin", "'0'"]),
            ([*pointwise, "-mat_type", "aij"], ["-mat_type", "dense"]),
            ([*pointwise, "-audit", "true"], ["-audit true", "-model pointwise", "softmax_linear"]),
            ([*descent, "-method", "momentum", "-audit", "true"], ["-audit true", "-method"]),
            ([*pointwise, "-eq_snes_type", "forwardbackward"], ["forwardbackward", "relu or identity"]),
        ]
        for index, (options, words) in enumerate(cases):
            self.refuse(*options, words=words, ranks=(1, 3) if index % 5 == 1 else (1,))
        self.refuse(*pointwise, "-eq_snes_type", "forwardbackward", words=["forwardbackward"], ranks=(3,))


if __name__ == "__main__":
    unittest.main()
