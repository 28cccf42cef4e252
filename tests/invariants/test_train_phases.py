"""-log_view shows the time of each phase of a training: every phase is a stage or an event."""

import collections
import csv
import unittest

import h5py
import numpy as np

from training import TrainingTest, attempts, history

STAGES = ["Setup", "Training", "Recording", "Audit", "Checkpoint I/O"]
EVENTS = {
    "Setup": {"DataRead"},
    "Training": {"Equilibrium", "Adjoint", "ParamGather", "GradientReduce", "LossReduce"},
    "Recording": {"TestEvaluation", "Equilibrium"},
    "Audit": {"Audit", "CollapsedSolve", "SmallestEigen"},
    "Checkpoint I/O": {"CheckpointWrite", "RunFileFlush"},
}


def log(path):
    """Seconds and counts by stage, event and rank, and the seconds of the stages by stage and rank."""
    events, stages = {}, collections.defaultdict(dict)
    with open(path, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            stage, event, rank = row["Stage Name"], row["Event Name"], int(row["Rank"])
            if event == "summary":
                stages[rank][stage] = float(row["Time"])
            else:
                events[stage, event, rank] = (int(row["Count"]), float(row["Time"]))
    return events, stages


class Phases(TrainingTest):
    def run_with_log(self, *options, ranks, **arguments):
        path = self.new_run() + ".csv"
        run = self.train(*options, "-log_view", f":{path}:ascii_csv", ranks=ranks, **arguments)
        return run, *log(path)

    def assert_spent(self, events, stage, names, ranks):
        for name in names:
            for rank in range(ranks):
                count, seconds = events[stage, name, rank]
                self.assertGreater(count, 0, (stage, name, rank))
                self.assertGreater(seconds, 0.0, (stage, name, rank))

    def check(self, ranks, features):
        options = ["-data", self.regression, "-objective", "equilibrium", "-time", 0.5, "-checkpoint_every", 10]
        run, events, stages = self.run_with_log(*options, "-grid_feature_ranks", features, ranks=ranks)
        for rank in range(ranks):
            named = sum(stages[rank][stage] for stage in STAGES)
            self.assertGreater(named, 0.9 * sum(stages[rank].values()), stages[rank])
        # All stages but the setup add up to the time in the run file.
        seconds = attempts(run)[-1]["seconds"]
        self.assertAlmostEqual(sum(stages[0][stage] for stage in STAGES[1:]), seconds, delta=0.05 * seconds + 0.05)
        for stage, names in EVENTS.items():
            self.assert_spent(events, stage, names, ranks)
        for rank in range(ranks):  # a SNES for every panel of a pass, a KSP for every panel of a gradient
            count = {name: events["Training", name, rank][0] for name in
                     ("Equilibrium", "Adjoint", "SNESSolve", "SNESFunctionEval", "KSPSolve", "PCApply")}
            self.assertEqual(count["SNESSolve"], count["Equilibrium"], count)
            self.assertEqual(count["KSPSolve"], count["Adjoint"], count)
            self.assertGreaterEqual(count["KSPSolve"], 6 * history(run)["step"][-1], count)  # rk 5f: 6 gradients per step
            self.assertGreaterEqual(count["SNESFunctionEval"], count["SNESSolve"], count)
            self.assertGreater(count["PCApply"], count["SNESSolve"], count)
        if features > 1:  # the weights are spread
            self.assert_spent(events, "Training", {"VectorGather", "VectorReduce"}, ranks)
        self.assertEqual(events["Checkpoint I/O", "CheckpointWrite", 0][0], attempts(run)[-1]["checkpoints"])

        _, events, _ = self.run_with_log("-resume", "-time", 0.6, ranks=ranks, run=run)
        self.assert_spent(events, "Checkpoint I/O", {"CheckpointVerify", "CheckpointRead"}, ranks)

    def test_every_phase_is_in_the_log(self):
        for ranks, features in ((1, 1), (4, 2)):
            with self.subTest(ranks=ranks):
                self.check(ranks, features)

    def test_a_rank_without_samples_knows_the_events_by_the_same_numbers(self):
        # One sample on two ranks: the second rank never solves, but its events have the same numbers.
        one = self.path("one.h5")
        with h5py.File(one, "w") as file:
            file["features"], file["targets"] = np.array([[1.0, 2.0]]), np.array([[1.0]])
        _, events, _ = self.run_with_log("-data", one, "-features", "identity", "-objective", "equilibrium", "-time",
                                         0.1, ranks=2)
        self.assert_spent(events, "Checkpoint I/O", {"CheckpointWrite"}, 2)
        self.assertEqual(events["Training", "Equilibrium", 1], (0, 0.0))
        self.assertGreater(events["Training", "Equilibrium", 0][0], 0)


if __name__ == "__main__":
    unittest.main()
