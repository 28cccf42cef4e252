"""If memory runs out on one rank, in any place and phase, the program ends with a message, or there is no effect. The
same holds for an MPI call that fails."""

import os
import unittest

from faults import FaultTest, spread, start
from training import TRAIN

AUDIT = os.environ.get("POISE_AUDIT", TRAIN.replace("poise-train", "poise-audit"))
SPECTRUM = os.environ.get("POISE_SPECTRUM", TRAIN.replace("poise-train", "poise-spectrum"))
POSITIONS = int(os.environ.get("POISE_FAULTS_POSITIONS", "8"))  # calls of every kind

FLOW = ["-features", "whiten", "-steps", 2, "-checkpoint_every", 1, "-checkpoint_keep", 0]
EQUILIBRIA = ["-objective", "equilibrium", "-model", "pointwise", "-weights", "spectral", "-activation", "tanh", "-width",
              12, "-dynamics", "descent", "-step_size", 0.01, "-steps", 2, "-checkpoint_every", 1, "-checkpoint_keep", 0]
MINIMISE = ["-dynamics", "minimise", "-steps", 3]
UNROLLED = ["-objective", "unrolled", *EQUILIBRIA[2:]]

# Every phase, with a program that has this phase.
PHASES = [
    ("flow", "FeatureQR"), ("flow", "FeatureSVD"), ("flow", "Audit"), ("flow", "DynamicsUpdate"),
    ("flow", "SmallestEigen"), ("flow", "CheckpointWrite"),
    ("collapsed", "CollapsedSolve"), ("collapsed", "ShallowLoss"), ("collapsed", "CollapsedGradient"),
    ("equilibria", "SpectralNorm"), ("equilibria", "Equilibrium"), ("equilibria", "MeanField"), ("equilibria", "Adjoint"),
    ("unrolled", "Unrolled"), ("unrolled", "UnrolledBack"),
    ("audit", "ConvexOptimum"), ("audit", "AuditColumnSums"), ("audit", "AuditReplay"), ("audit", "AuditFeatures"),
    ("audit", "AuditGradient"), ("audit", "AuditEquilibriumGradient"), ("audit", "AuditDynamicsMatrix"),
    ("audit", "AuditTheoremTwo"), ("audit", "NewtonRadius"), ("audit", "TrustRegion"), ("audit", "AuditEquilibrium"),
    ("audit", "Certificate"),
    ("spectrum", "NumericalRange"), ("spectrum", "IterationStability"),
]


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
            self.tally("harmless")
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

        self.in_parallel(check, [(event, self.new_run()) for event in ("Equilibrium", "Adjoint", "CheckpointWrite")])


class Phases(FaultTest):
    """An exception on rank 1 in every phase of the programs."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.stored = cls.path("stored")
        ended = start(TRAIN, "-data", cls.classes, "-loss", "cross_entropy", *FLOW, "-run", cls.stored)
        assert ended.code == 0, ended.err
        train = {"flow": FLOW, "collapsed": ["-objective", "collapsed", *FLOW],
                 "equilibria": [*EQUILIBRIA, "-grid_feature_ranks", 3],
                 "unrolled": [*UNROLLED, "-grid_feature_ranks", 3]}
        cls.programs = {name: [TRAIN, "-data", cls.regression, *options] for name, options in train.items()}
        cls.programs["audit"] = [AUDIT]
        cls.programs["spectrum"] = [SPECTRUM]

    def sweep(self, call, without):
        def check(case):
            program, event, run = case
            fault = f"call={call} rank=1 event={event}"
            run = self.stored if program in ("audit", "spectrum") else run
            ended = self.inject(fault, *self.programs[program], "-run", run)
            self.assertNotIn("terminate called", ended.err, fault)
            self.assert_named(ended, fault, ["rank 1"])

        self.in_parallel(check, [(*phase, self.new_run()) for phase in PHASES if phase[1] not in without])

    def test_memory_in_every_phase(self):
        self.sweep("new do=throw", without={"ShallowLoss"})

    def test_mpi_in_every_phase(self):
        # The ranks of a QR send triangles to each other, without a collective call.
        self.sweep("MPI_Allreduce do=EIO", without={"Unrolled", "UnrolledBack", "FeatureQR"})


if __name__ == "__main__":
    unittest.main()
