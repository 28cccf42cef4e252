"""Memory that runs out on one rank, in any place and phase, ends the program with a message, or nothing has come of
it; so does an MPI call that fails."""

import os
import unittest

from faults import FaultTest, spread, start
from training import TRAIN

AUDIT = os.environ.get("POISE_AUDIT", TRAIN.replace("poise-train", "poise-audit"))
SPECTRUM = os.environ.get("POISE_SPECTRUM", TRAIN.replace("poise-train", "poise-spectrum"))
POSITIONS = int(os.environ.get("POISE_FAULTS_POSITIONS", "8"))  # of every kind

FLOW = ["-features", "whiten", "-steps", 2, "-checkpoint_every", 1, "-checkpoint_keep", 0]
EQUILIBRIA = ["-objective", "equilibrium", "-model", "pointwise", "-weights", "spectral", "-activation", "tanh", "-width",
              10, "-dynamics", "descent", "-step_size", 0.01, "-steps", 2, "-checkpoint_every", 1, "-checkpoint_keep", 0]
MINIMISE = ["-dynamics", "minimise", "-steps", 3]
UNROLLED = ["-objective", "unrolled", *EQUILIBRIA[2:]]

# Each phase in a program that has it.
PHASES = {
    "train flow": (FLOW, ["Audit", "Checkpoint", "CollapsedGradient", "CollapsedSolve", "SmallestEigen"]),
    "train classes": (FLOW, ["ConvexOptimum"]),
    "train equilibria": (EQUILIBRIA, ["Equilibrium", "Adjoint", "Certificate", "SpectralNorm", "DynamicsUpdate"]),
    "train unrolled": (UNROLLED, ["Unrolled", "UnrolledBack"]),
    "audit": ([], ["AuditGram", "AuditColumnSums", "AuditTheoremTwo", "TrustRegion", "NewtonRadius", "StepLimit"]),
    "spectrum": ([], ["NumericalRange", "IterationStability"]),
}


class Memory(FaultTest):
    def sweep(self, options, call, word, most=POSITIONS):
        sound = self.new_run()
        options = ["-data", self.regression, *options]
        number = self.counts(TRAIN, *options, "-run", sound)[1][call]
        print(f"{min(number, most)} of {number} calls of {call}", flush=True)
        runs = {nth: self.new_run() for nth in spread(number, most)}

        def check(nth):
            fault = f"call={call} rank=1 nth={nth} do=throw"
            ended = self.inject(fault, TRAIN, *options, "-run", runs[nth])
            self.assertNotIn("terminate called", ended.err, fault)
            if ended.code != 0:
                self.assert_named(ended, fault, [word])
                return
            self.totals["harmless"] += 1
            self.assert_same_history(sound, runs[nth])
            self.assert_same_parameters(sound, runs[nth])

        self.in_parallel(check, list(runs))

    def test_operator_new_in_a_flow(self):
        self.sweep(FLOW, "new", "out of memory")

    def test_operator_new_in_descent_on_equilibria(self):
        self.sweep(EQUILIBRIA, "new", "out of memory")

    def test_operator_new_in_a_minimisation(self):
        self.sweep(MINIMISE, "new", "out of memory", POSITIONS // 2)

    def test_memory_of_petsc(self):
        self.sweep(EQUILIBRIA, "petsc_malloc", "Out of memory", POSITIONS // 2)

    def test_no_memory_from_some_point_on(self):
        def check(case):
            event, run = case
            fault = f"call=new rank=1 nth=1+ event={event} do=throw"
            ended = self.inject(fault, TRAIN, "-data", self.regression, *EQUILIBRIA, "-run", run)
            self.assertNotIn("terminate called", ended.err, fault)
            self.assert_named(ended, fault, ["out of memory"])

        self.in_parallel(check, [(event, self.new_run()) for event in ("Equilibrium", "Adjoint", "Checkpoint")])


class Phases(FaultTest):
    """An exception on rank 1 in every phase of the programs."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.flow = cls.path("flow")
        ended = start(TRAIN, "-data", cls.regression, *FLOW, "-run", cls.flow)
        assert ended.code == 0, ended.err

    def check(self, case):
        kind, options, event, fault, run = case
        fault = f"{fault} rank=1 event={event}"
        data = self.classes if "classes" in kind else self.regression
        if kind.startswith("train"):
            ended = self.inject(fault, TRAIN, "-data", data, *options, "-run", run)
        else:
            ended = self.inject(fault, AUDIT if kind == "audit" else SPECTRUM, "-run", self.flow)
        self.assertNotIn("terminate called", ended.err, fault)
        self.assert_named(ended, fault, ["rank 1"])

    def cases(self, fault):
        return [(kind, options, event, fault, self.new_run()) for kind, (options, events) in PHASES.items()
                for event in events]

    def test_memory_in_every_phase(self):
        self.in_parallel(self.check, self.cases("call=new nth=2 do=throw"))

    def test_mpi_in_every_phase(self):
        self.in_parallel(self.check, self.cases("call=MPI_Allreduce nth=1 do=EIO"))


if __name__ == "__main__":
    unittest.main()
