"""An exception in a callback of PETSc, SLEPc or Poise. On one rank: the program ends at once and names the rank. On all
ranks: the program ends in order, with one message."""

import os
import unittest

from faults import FaultTest, messages, start
from training import FAILED, TRAIN

CALLBACKS = os.environ.get("POISE_CALLBACKS", TRAIN.replace("apps/poise-train", "tests/test_callbacks"))

# Problem, callback, call, options.
# If all ranks fail at a trial point, TS and TAO take a shorter step.
TRIAL_POINTS = [("flow", "objective", 4, ""), ("minimise", "objective", 4, "")]
ROOT = ("root", "body", 2, "")  # runs on rank 0 alone
CASES = [
    ("equilibria", "map", 3, "-eq_snes_type newtonls"),
    ("equilibria", "map", 2, "-eq_snes_type picard"),
    ("equilibria", "map", 3, "-eq_snes_type anderson"),
    ("equilibria", "map", 3, "-eq_snes_type ngmres"),
    ("equilibria", "jacobian", 3, "-eq_snes_type newtonls"),
    ("equilibria", "linearise", 1, "-eq_snes_type picard"),
    ("equilibria", "linearise", 2, "-eq_snes_type newtonls"),
    ("equilibria", "adjoint", 3, ""),
    ("equilibria", "adjoint", 2, "-adj_ksp_type bcgs"),
    ("equilibria", "adjoint", 2, "-adj_ksp_type fgmres"),
    ("flow", "objective", 1, ""),
    ("flow", "observer", 1, ""),
    ("flow", "observer", 3, ""),
    ("minimise", "objective", 1, ""),
    *TRIAL_POINTS,
    ("minimise", "objective", 5, "-min_tao_type nls"),
    ("minimise", "observer", 2, ""),
    ("descent", "objective", 3, ""),
    ("descent", "observer", 2, ""),
    ("largest", "product", 5, ""),
    ("leading", "product", 5, ""),
    ("singular", "product", 5, ""),
    ("singular", "transpose", 5, ""),
    ("inverse", "product", 30, ""),
    ("inverse", "transpose", 30, ""),
    ("krylov", "product", 4, ""),
    ("krylov", "preconditioner", 4, ""),
    ("ensemble", "member", 2, ""),
    ("agreed", "body", 2, ""),
    ROOT,
]


class Callbacks(FaultTest):
    def throw(self, case, rank):
        problem, callback, call, options = case
        ended = start(CALLBACKS, problem, callback, rank, call, *options.split())
        self.tally("fault " + ("all ranks" if rank == "all" else "one rank"))
        self.tally("hang", ended.hung)
        self.assertFalse(ended.hung, f"{case}: hung\n{ended.err}")
        self.assertNotIn("nothing was thrown", ended.out, f"{case}")
        self.assertNotIn("terminate called", ended.err)
        self.assert_named(ended, case, [f"trap in {callback}"])
        self.assertEqual(ended.code, FAILED, ended.err)
        return ended

    def test_on_one_rank(self):
        def check(case):
            rank = 0 if case[0] == "root" else 1
            ended = self.throw(case, rank)
            self.assertTrue(any(f"rank {rank}: " in text or rank == 0 for text in messages(ended)), ended.err)

        self.in_parallel(check, CASES)

    def test_on_all_ranks(self):
        def check(case):
            ended = self.throw(case, "all")
            self.assertEqual(len(messages(ended)), 1, ended.err)
            self.assertNotIn("MPI_ABORT", ended.err)

        self.in_parallel(check, [case for case in CASES if case not in (*TRIAL_POINTS, ROOT)])

    def test_on_all_ranks_at_a_trial_point_a_shorter_step_is_taken(self):
        def check(case):
            problem, callback, call, options = case
            ended = start(CALLBACKS, problem, callback, "all", call, *options.split())
            self.tally("fault all ranks")
            self.tally("hang", ended.hung)
            self.assertEqual(ended.code, 0, f"{case}\n{ended.err}")
            self.assertIn("nothing was thrown", ended.out)
            if problem == "flow":
                self.assertIn(f"failed (trap in {callback}); it is taken again", ended.err)

        self.in_parallel(check, TRIAL_POINTS)

    def test_the_problems_themselves_are_sound(self):
        def check(case):
            problem, options = case
            ended = start(CALLBACKS, problem, "none", 1, 1, *options.split())
            self.assertEqual(ended.code, 0, f"{case}\n{ended.err}")
            self.assertIn("nothing was thrown", ended.out)

        self.in_parallel(check, sorted({(case[0], case[3]) for case in CASES}))


if __name__ == "__main__":
    unittest.main()
