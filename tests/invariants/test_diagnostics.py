"""Diagnostics of PETSc and SLEPc for every solver of every program: diagnostics of solvers that run are printed once; all
other diagnostics are refused, with the reason, before the run begins."""

import os
import re
import subprocess
import unittest

from training import BAD_INPUT, DONE, ENVIRONMENT, MPIEXEC, SOURCE, TrainingTest, files, patience

BUILT = os.path.join(SOURCE, "build", "apps")


def launch(program, *options, ranks=1, environment=None):
    path = os.environ.get("POISE_" + program.upper(), os.path.join(BUILT, "poise-" + program))
    start = [MPIEXEC, "-n", str(ranks)] if ranks > 1 else []  # one rank starts faster without mpirun
    return subprocess.run([*start, path, *map(str, options)], capture_output=True, text=True, timeout=patience(100),
                          env={**ENVIRONMENT, **(environment or {})})


# Output of a solver of each kind, by the option behind its prefix.
KSP = {"ksp_view": "KSP Object: ({})", "ksp_converged_reason": "Linear {} solve converged",
       "ksp_monitor": "Residual norms for {} solve"}
SNES = {"snes_view": "SNES Object: ({})", "snes_converged_reason": "Nonlinear {} solve converged",
        "snes_monitor": "SNES Function norm"}
EPS = {"eps_view": "EPS Object: ({})", "eps_converged_reason": "{} Linear eigensolve converged",
       "eps_view_values": "Eigenvalues ="}
TAO = {"tao_view": "Tao Object: ({})", "tao_monitor": "Function value:"}
TAO_CONVERGED = {"tao_converged_reason": "{} solve converged"}
TS = {"ts_view": "TS Object: ({})", "ts_monitor": " time 0.\n", "ts_adapt_monitor": "TSAdapt"}

FEW = ["-time", 0.01, "-steps", 2]
EQUILIBRIUM = ["-objective", "equilibrium", "-dynamics", "descent", "-steps", 1, "-step_size", 0.01]
KRYLOV = [*EQUILIBRIUM, "-eq_snes_type", "newtonls", "-adj_ksp_type", "gmres"]
# One iteration is not enough, so that the ladder runs.
LADDER = [*EQUILIBRIUM, "-eq_snes_type", "picard", "-eq_snes_max_it", 1, "-adj_ksp_type", "neumann", "-adj_ksp_max_it", 1]
MINIMISE = ["-dynamics", "minimise", "-steps", 3]
SPECTRAL = ["-model", "pointwise", "-weights", "spectral", "-width", 8, *EQUILIBRIUM]
SWEEP = ["-study", "width", "-widths", 4, "-gammas", 0.5, "-init_scales", 1, "-seeds", 1, *FEW]

# Program, options, and for each prefix the diagnostics and their output.
PRINTED = {
    "flow": ("train", FEW, {"flow_": TS, "collapsed_": KSP, "spec_": EPS, "spec_state_": EPS}),
    "Krylov": ("train", KRYLOV, {"eq_": {**SNES, **KSP, "snes_linesearch_monitor": "Line search:"}, "adj_": KSP}),
    "ladder": ("train", LADDER, {"eq_newton_": SNES, "adj_gmres_": KSP}),
    **{f"own type {name}": ("train", [*EQUILIBRIUM, "-eq_snes_type", name, *options], {"eq_": SNES, "adj_": KSP})
       for name, options in (("meanfield", []), ("picard", ["-adj_ksp_type", "neumann"]), ("perron", []),
                             ("peacemanrachford", []))},
    "types inside": ("train", [*EQUILIBRIUM, "-eq_snes_type", "ngmres", "-eq_npc_snes_type", "picard", "-eq_npc_snes_max_it",
                               2], {"eq_": SNES, "eq_npc_": {"snes_view": "SNES Object: ({})", "snes_monitor": "    1 SNES"}}),
    "minimise": ("train", MINIMISE, {"min_": {**TAO, "tao_ls_view": "TaoLineSearch Object: ({})"}}),
    "Newton": ("train", [*MINIMISE, "-min_tao_type", "nls"], {"min_": TAO, "min_tao_nls_": KSP}),
    "spectral": ("train", SPECTRAL, {"svd_": EPS}),
    "bench": ("bench", ["-case", "collapsed"], {"collapsed_": KSP}),
    "bench, eigenvalue": ("bench", ["-case", "lambda_min"], {"spec_": EPS}),
    "bench, samples": ("bench", ["-case", "equilibrium_gmres"], {"eq_": SNES, "adj_": KSP}),
    "sweep": ("sweep", SWEEP, {"flow_": TS, "collapsed_": KSP, "spec_": EPS}),
    "sweep, steps": ("sweep", ["-study", "step_size", "-widths", 4, "-features", "random_relu", "-step_factors", 0.5,
                               "-bisections", 0, "-steps", 3],
                     {"limit_lambda_": EPS, "limit_curvature_": EPS, "limit_features_": EPS}),
    "compare": ("compare", ["-features", "identity", "-depths", 1, "-seeds", 1, "-feedforward_depth", 0, "-points", 3,
                            "-time", 0.02, "-first_time", 0.01], {"flow_": TS, "collapsed_": KSP}),
}
TINY_BENCH = ["-m", 24, "-n", 30, "-q", 3, "-repeat", 1, "-dgemm_size", 32]

# Options of the run, the program that reads the run, and its output.
STORED = {
    "audit": ([*FEW, "-data", "regression"], "audit", [],
              {"tr_": KSP, "tr_inner_": KSP, "spec_newton_": EPS, "spec_newton_st_": {"ksp_view": "KSP Object: ({})"}}),
    "audit, classes": ([*FEW, "-data", "classes", "-loss", "cross_entropy"], "audit", [],
                       {"optimum_": {**TAO, **TAO_CONVERGED}}),
    "audit, descent": (["-dynamics", "descent", "-steps", 2, "-step_size", 0.01, "-data", "regression"], "audit", [],
                       {"limit_lambda_": EPS, "limit_curvature_": EPS, "limit_features_": EPS}),
    "spectrum": ([*FEW, "-data", "regression"], "spectrum", ["-points", 5, "-angles", 6, "-power", 2],
                 {"spec_w_": EPS, "spec_norm_": EPS, "spec_power_": EPS, "spec_range_": EPS, "spec_u_": {**EPS, **KSP},
                  "spec_resolvent_": {**EPS, **KSP}, "spec_": EPS, "limit_lambda_": EPS}),
    "spectrum, tanh": (["-model", "pointwise", "-width", 8, *EQUILIBRIUM, "-data", "regression"], "spectrum",
                       ["-points", 5, "-angles", 6, "-power", 2, "-samples", 2, "-eq_snes_type", "newtonls"],
                       {"spec_jacobian_": EPS, "spec_jacobian_norm_": EPS, "eq_": SNES}),
    "spectrum, graph": (["-model", "graph", "-width", 5, "-activation", "tanh", "-dynamics", "descent", "-steps", 1, "-step_size",
                         0.001, "-data", "digits_graph"], "spectrum", ["-points", 5, "-angles", 6, "-power", 2],
                        {"spec_graph_": EPS, "spec_jacobian_": EPS, "spec_jacobian_norm_": EPS, "eq_": SNES}),
}

NOT_USED = ", which this run does not use"
REFUSED = [
    ("train", ["-min_tao_view"], ["-min_tao_view does not go with -dynamics flow"]),
    ("train", ["-dynamics", "minimise", "-flow_ts_view"], ["-flow_ts_view does not go with -dynamics minimise"]),
    ("train", ["-objective", "equilibrium", "-audit", "false", "-collapsed_ksp_view"],
     ["-collapsed_ksp_view does not go with -objective equilibrium and -audit false"]),
    ("train", ["-audit", "false", "-spec_eps_view"], ["-spec_eps_view does not go with -audit false"]),
    ("train", ["-objective", "collapsed", "-eq_snes_view"], ["-eq_snes_view does not go with -objective collapsed"]),
    ("train", ["-svd_eps_converged_reason"], ["belongs to the solver svd_ (EPS)" + NOT_USED]),
    ("train", ["-flow_snes_monitor"], ["-flow_snes_monitor would print nothing: the integrator is explicit"]),
    ("train", [*KRYLOV, "-eq_snes_monitr"], ["-eq_snes_monitr is unknown, the nearest is -eq_snes_monitor"]),
    ("train", [*KRYLOV, "-eq_snes_viw"], ["-eq_snes_viw is unknown, the nearest is -eq_snes_view"]),
    ("train", [*KRYLOV, "-eq_snes_monitor_foo"], ["-eq_snes_monitor_foo is unknown, the nearest is -eq_snes_monitor"]),
    ("train", [*KRYLOV, "-eq_newton_ksp_viw"], ["the nearest is -eq_newton_ksp_view"]),
    ("train", ["-spec_eps_view_valus"], ["the nearest is -spec_eps_view_values"]),
    # Types of Poise, which need a panel of samples, under the prefix of another solver.
    ("train", ["-flow_ts_type", "beuler", "-flow_snes_type", "picard"],
     ["-flow_snes_type picard is for the equilibria and adjoints of Poise"]),
    ("train", ["-flow_ts_type", "beuler", "-flow_pc_type", "perron"], ["-flow_pc_type perron is for the equilibria"]),
    ("train", ["-spec_st_type", "sinvert", "-spec_st_ksp_type", "meanfield"], ["-spec_st_ksp_type meanfield is for"]),
    ("train", [*MINIMISE, "-min_tao_type", "nls", "-min_tao_nls_ksp_type", "neumann"], ["-min_tao_nls_ksp_type neumann is for"]),
    ("train", ["-objective", "collapsed", "-collapsed_ksp_type", "meanfield"], ["-collapsed_ksp_type meanfield is for"]),
    ("bench", ["-case", "collapsed", "-eq_snes_view"], ["the solver eq_ (SNES)" + NOT_USED]),
    ("bench", ["-case", "all", "-eq_snes_viw"], ["the nearest is -eq_snes_view"]),
    ("sweep", [*SWEEP, "-limit_lambda_eps_view"], ["the solver limit_lambda_ (EPS)" + NOT_USED]),
    ("compare", ["-collapsed_ksp_viw"], ["the nearest is -collapsed_ksp_view"]),
]


def questions(solvers):
    """The diagnostic options of all solvers."""
    return [f"-{prefix}{name}" for prefix, said in solvers.items() for name in said]


class Diagnostics(TrainingTest):
    def assert_said(self, output, solvers):
        for prefix, said in solvers.items():
            for name, words in said.items():
                self.assertIn(words.format(prefix), output, f"-{prefix}{name}")

    def go(self, program, *options, ranks=1):
        options = [*options, *(TINY_BENCH if program == "bench" else ["-run", self.new_run()])]
        if program != "bench":
            options = ["-data", self.regression, *options]
        done = launch(program, *options, ranks=ranks)
        self.assertEqual(done.returncode, DONE, f"{program} {options}\n{done.stdout[-3000:]}\n{done.stderr}")
        return done.stdout

    def test_the_help_lists_the_types_of_poise_and_their_options(self):
        done = launch("train", "-help")
        self.assertEqual(done.returncode, DONE)
        for words in ("types of Poise: meanfield, perron, picard, forwardbackward, peacemanrachford", "snes_patient",
                      "snes_mixing", "ksp_patient", "ksp_mixing", "-eq_alpha", "-eq_mixed_*", "-adj_mixed_*"):
            self.assertIn(words, done.stdout)

    def test_the_help_is_by_category_and_fits_the_terminal(self):
        whole = launch("train", "-help")
        shown = re.findall(r"^(\w+):$", whole.stdout, re.MULTILINE)
        self.assertEqual(shown, ["data", "features", "model", "objective", "loss", "validation", "dynamics", "run", "ensemble"])
        for category, option, other in (("model", "  -gamma (0.8; a number in (0, 1))", "-time"),
                                        ("solvers", "  -eq_*", "-gamma ("), ("run", "  -resume (", "-gamma (")):
            part = launch("train", "-help", category)
            self.assertEqual(part.returncode, DONE)
            self.assertIn(option, part.stdout)
            self.assertNotIn(other, part.stdout)
            self.assertIn(part.stdout.strip(), whole.stdout)
        unknown = launch("train", "-help", "modell")
        self.assertEqual(unknown.returncode, BAD_INPUT)
        self.assertIn("-help modell: there is no such category; choose data, features, model", unknown.stderr)
        narrow = launch("train", "-help", environment={"COLUMNS": "72"})
        self.assertEqual("".join(narrow.stdout.split()), "".join(whole.stdout.split()))
        self.assertLessEqual(max(len(line) for line in narrow.stdout.splitlines() if "|" not in line), 72)

    def test_diagnostics_of_solvers_that_run_are_printed(self):
        for name, (program, options, solvers) in PRINTED.items():
            with self.subTest(name):
                self.assert_said(self.go(program, *options, *questions(solvers)), solvers)

    def test_diagnostics_of_solvers_of_stored_runs_are_printed(self):
        data = {"regression": self.regression, "classes": self.classes,
                "digits_graph": os.path.join(SOURCE, "data", "digits_graph.h5")}
        for name, (training, program, options, solvers) in STORED.items():
            with self.subTest(name):
                run = self.train(*[data.get(word, word) for word in training], "-checkpoint_every", 1)
                done = launch(program, "-run", run, *options, *questions(solvers))
                self.assertEqual(done.stderr, "")
                self.assert_said(done.stdout, solvers)
                refused = launch(program, "-run", run, *options, "-min_tao_view")
                self.assertEqual(refused.returncode, BAD_INPUT, refused.stdout)
                self.assertIn(" is unknown" if program == "spectrum" else NOT_USED, refused.stderr)

    def test_diagnostics_of_several_sample_ranks_are_printed_once(self):
        asked = {"eq_": {**SNES, **KSP}, "adj_": KSP}
        said = [words.format(prefix) for prefix, all_words in asked.items() for words in all_words.values()]
        counts = []
        for ranks, feature_ranks in ((1, 1), (2, 1), (2, 2), (4, 2)):
            output = self.go("train", *KRYLOV, *questions(asked), "-grid_feature_ranks", feature_ranks, ranks=ranks)
            # A monitor prints a line per iteration; the number of iterations depends on the samples of the first rank.
            counts.append([len(re.findall(re.escape(words), output)) for words in said if "norm" not in words])
        for count in counts[1:]:
            self.assertEqual(count, counts[0])

    def test_all_other_diagnostics_are_refused_before_the_run(self):
        for program, options, words in REFUSED:
            with self.subTest(options=options):
                run = self.new_run()
                rest = TINY_BENCH if program == "bench" else ["-data", self.regression, "-run", run]
                done = launch(program, *options, *rest)
                self.assertEqual(done.returncode, BAD_INPUT, done.stdout[-2000:] + done.stderr)
                for word in words:
                    self.assertIn(word, done.stderr)
                self.assertEqual(done.stdout, "")
                self.assertEqual(files(run), {})


if __name__ == "__main__":
    unittest.main()
