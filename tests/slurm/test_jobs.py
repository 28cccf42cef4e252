"""The jobs of jobs/*.sbatch on a real SLURM, which this program starts: jobs that end, that are requeued, and that are not.

Ends with code 77 where the packages of SLURM, or the right to make namespaces, are missing.
"""

import concurrent.futures
import csv
import os
import signal
import time
import unittest

import private_slurm

if __name__ == "__main__":
    if missing := private_slurm.missing_programs():
        private_slurm.skip(f"{', '.join(missing)} not found; the packages {private_slurm.PACKAGES} have them")
    private_slurm.enter_namespaces()

import h5py  # noqa: E402  (inside of the namespaces)
import numpy as np  # noqa: E402
from jobs import SlurmTest, training  # noqa: E402

ON_TWO_NODES = ("--nodes=2", "--ntasks-per-node=1")
LAUNCHERS = ("mpirun", "srun")


class Jobs(SlurmTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # SLURM checks time limits every half minute; other tests go on in the meantime.
        pool = concurrent.futures.ThreadPoolExecutor()
        cls.addClassCleanup(pool.shutdown)
        cls.time_limit = pool.submit(cls("check_time_limit").check_time_limit)

    # ---- A single training --------------------------------------------------------------------------------------

    def test_a_run_ends_under_both_launchers_on_one_node_and_on_two(self):
        for launcher in LAUNCHERS:
            for sbatch in ((), ON_TWO_NODES):
                with self.subTest(launcher=launcher, sbatch=sbatch):
                    name = f"end-{launcher}-{len(sbatch)}"
                    options = self.options(name, 30)
                    job = self.submit("train.sbatch", "-options_file", options, "-run", self.path(name), sbatch=sbatch,
                                      POISE_LAUNCH=launcher)
                    self.wait_end(job)
                    self.assertIn(f"done: {self.path(name)}", self.log(job))
                    self.assertNotIn("-resume", self.log(job))
                    self.assert_same_as_straight(name, self.path(name))

    def check_time_limit(self):
        job, run = self.start("limit", sbatch=("--time=1", "--signal=B:USR1@50", "--nodelist=n0"))
        self.freeze(run)  # the run must not go on until the signal comes
        self.until("signalled", lambda: "signal USR1" in self.log(job), job)
        self.thaw(run)
        self.wait_requeued(job)
        last = self.let_end("limit", run)
        self.finish("limit", job, run, last)

    def test_a_run_goes_on_after_the_signal_before_the_time_limit(self):
        self.time_limit.result(timeout=300)

    def test_a_run_under_srun_goes_on_after_the_signal(self):
        job, run = self.start("srun", sbatch=ON_TWO_NODES, POISE_LAUNCH="srun")
        follower = self.ask("sbatch", "--parsable", f"--dependency=afterok:{job}", "--output=%j.log",
                            "--wrap=true").strip()
        self.ask("scancel", "--batch", "--signal=USR1", job)
        self.wait_requeued(job)
        last = self.let_end("srun", run)
        shown = self.until("shown", lambda: self.show(follower), follower)
        self.assertEqual(shown["JobState"], "PENDING")  # a requeued job has not ended
        self.assertEqual(self.finish("srun", job, run, last)["Restarts"], "1")
        self.wait_end(follower)
        self.check_attempts(run, job, last)

    def check_attempts(self, run, job, last):
        """The run file knows both starts by the ids that SLURM gave."""
        stopped, done = training.attempts(run)
        self.assertEqual((stopped["state"], stopped["reason"]), ("stopped", "a signal"))
        self.assertEqual((done["state"], done["last_step"]), ("done", last))
        self.assertEqual(done["first_step"], stopped["last_step"])
        for restarts, attempt in enumerate((stopped, done)):
            self.assertEqual((attempt["slurm_job_id"], attempt["slurm_restart_count"]), (int(job), restarts))
            self.assertEqual((attempt["slurm_nodes"], attempt["ranks"]), ("n[0-1]", 2))
            self.assertTrue(attempt["slurm_partition"])
            self.assertTrue(attempt["slurm_cluster"])
            self.assertNotIn("slurm_array_job_id", attempt)

    def test_a_preempted_run_goes_on(self):
        job, run = self.start("preempted", "preemptible.sbatch", ("--nodelist=n1",))
        urgent = self.ask("sbatch", "--parsable", "--partition=high", "--nodelist=n1", "--exclusive", "--output=%j.log",
                          "--wrap=true").strip()
        self.wait_requeued(job)
        self.wait_end(urgent)
        self.assertIn("signal USR1", self.log(job))
        last = self.let_end("preempted", run)
        self.finish("preempted", job, run, last)
        self.assertIn("-checkpoint_seconds 120", self.log(job))

    def test_a_run_goes_on_after_a_node_was_lost(self):
        job, run = self.start("lost", sbatch=ON_TWO_NODES)
        self.ask("scontrol", "update", "NodeName=n1", "State=DOWN", "Reason=test")
        try:
            self.wait_requeued(job)
        finally:
            self.ask("scontrol", "update", "NodeName=n1", "State=RESUME")
        self.until("without ranks", lambda: not self.ranks(run), job)
        last = self.let_end("lost", run)
        self.finish("lost", job, run, last)

    def test_a_crash_is_not_requeued_and_the_same_command_goes_on(self):
        for launcher in LAUNCHERS:
            with self.subTest(launcher=launcher):
                name = f"crash-{launcher}"
                job, run = self.start(name, POISE_LAUNCH=launcher)
                os.kill(self.ranks(run)[0], signal.SIGKILL)
                shown = self.wait_final(job)
                self.assertEqual((shown["JobState"], shown["Restarts"]), ("FAILED", "0"), self.log(job))
                self.until("without ranks", lambda: not self.ranks(run), job)
                self.let_end(name, run)
                again = self.submit("train.sbatch", "-options_file", self.path(f"{name}.opts"), "-run", run)
                self.wait_end(again)
                self.assertIn(" -resume\n", self.log(again))
                self.assert_same_as_straight(name, run)

    def test_a_cancelled_run_is_not_requeued(self):
        for launcher in LAUNCHERS:
            with self.subTest(launcher=launcher):
                job, run = self.start(f"cancelled-{launcher}", POISE_LAUNCH=launcher)
                self.ask("scancel", job)
                self.until("without ranks", lambda: not self.ranks(run), job)
                shown = self.wait_end(job, "CANCELLED")
                self.assertEqual(shown["Restarts"], "0", self.log(job))
                self.assertNotIn(": requeued", self.log(job))
                self.assertFalse(os.path.exists(os.path.join(run, "DONE")))

    def test_what_four_ranks_wrote_goes_on_on_three_and_restarts_are_capped(self):
        job, run = self.start("four", sbatch=("--nodes=2", "--ntasks-per-node=2"), POISE_MAX_RESTARTS="0")
        self.ask("scancel", "--batch", "--signal=USR1", job)
        self.wait_end(job, "FAILED", 75)
        self.assertIn("not requeued: 0 restarts are the most", self.log(job))
        self.let_end("four", run)
        again = self.submit("train.sbatch", "-options_file", self.path("four.opts"), "-run", run,
                            sbatch=("--nodes=1", "--ntasks-per-node=3"), POISE_LAUNCH="srun")
        self.wait_end(again)
        # Sums in a different order.
        self.assert_same_as_straight("four", run, 4, 1e-12, training.WORK)
        self.assertEqual(training.attributes(run)["ranks"], 3)

    def test_bad_input_ends_with_its_code(self):
        job = self.submit("train.sbatch", "-data", "missing.h5", "-run", self.path("bad"))
        self.assertEqual(self.wait_end(job, "FAILED", 2)["Restarts"], "0")
        job = self.submit("train.sbatch", "-data", self.data, POISE_BIN="/nowhere")
        self.wait_end(job, "FAILED", 2)
        self.assertIn("there is no /nowhere/poise-train", self.log(job))

    # ---- With a program in the place of poise-train -------------------------------------------------------------

    def fake_program(self, name, text, program="poise-train"):
        folder = self.path(name)
        os.makedirs(folder)
        path = os.path.join(folder, program)
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"#!/bin/bash\n{text}\n")
        os.chmod(path, 0o755)
        return folder

    def test_a_launcher_that_returns_0_is_not_believed_without_done(self):
        run = self.path("unproven")
        os.makedirs(run)
        with open(os.path.join(run, "DONE"), "w", encoding="utf-8"):  # from an earlier end
            pass
        text = f"echo $SLURM_JOB_END_TIME >{run}/end; exit 0"
        job = self.submit("train.sbatch", "-run", run, sbatch=("--time=7",), POISE_BIN=self.fake_program("zero", text))
        shown = self.wait_end(job, "FAILED", 70)
        self.assertIn("has not reached its end", self.log(job))
        # The deadline of poise-train is the end that SLURM planned at the start.
        start = time.mktime(time.strptime(shown["StartTime"], "%Y-%m-%dT%H:%M:%S"))
        with open(os.path.join(run, "end"), encoding="utf-8") as file:
            self.assertEqual(float(file.read()), start + 7 * 60)

    def test_a_signal_that_comes_before_the_ranks_listen_is_answered_by_a_new_start(self):
        for launcher in LAUNCHERS:
            with self.subTest(launcher=launcher):
                run = self.path(f"early-{launcher}")
                started = f"{run}-started"
                # The program has no handler, and USR1 ends it; the second start reaches the end.
                text = (f'mkdir -p {run}\nif [ "$SLURM_RESTART_COUNT" = 1 ]; then touch {run}/DONE; exit 0; fi\n'
                        f'touch {started}\nexec sleep 1000')
                job = self.submit("train.sbatch", "-run", run, POISE_LAUNCH=launcher,
                                  POISE_BIN=self.fake_program(f"early-{launcher}-bin", text))
                self.until("started", lambda: os.path.exists(started), job)
                self.ask("scancel", "--batch", "--signal=USR1", job)
                self.wait_requeued(job)
                self.hurry(job)
                self.wait_end(job)

    def test_a_start_that_left_no_checkpoint_does_not_block_the_next_one(self):
        run = self.path("early-run")
        # poise-train begins a new run, because there is nothing to resume.
        text = (f'case "$SLURM_RESTART_COUNT $*" in *-resume*) exit 2 ;; 1*) touch {run}/DONE; exit ;; esac\n'
                f'mkdir -p {run}; touch {run}/run.h5; exit 75')
        job = self.submit("train.sbatch", "-run", run, sbatch=("--ntasks-per-node=1",),
                          POISE_BIN=self.fake_program("early-run-bin", text))
        self.wait_requeued(job)
        self.hurry(job)
        self.wait_end(job)

    # ---- Ensemble, sweep, gather, scaling, audit ----------------------------------------------------------------

    def test_an_ensemble_on_two_nodes_goes_on_until_all_members_are_done(self):
        run, table, names = self.path("ensemble"), self.path("table.txt"), [f"short-{k}" for k in range(3)]
        with open(table, "w", encoding="utf-8") as file:
            file.write("long:  # the first node is busy with it\n" + "".join(f"{name}: -steps 30\n" for name in names))
        arguments = (table, "-options_file", self.options("long"), "-run", run)
        job = self.submit("ensemble.sbatch", *arguments, sbatch=ON_TWO_NODES)
        # The second node runs one member after the other.
        self.until("done but for one member",
                   lambda: all(os.path.exists(os.path.join(run, name, "DONE")) for name in names), job)
        long = os.path.join(run, "long")
        self.until("under way", lambda: self.newest_step(long) > 0, job)
        self.ask("scancel", "--batch", "--signal=USR1", job)
        self.wait_requeued(job)
        self.assertIn("3 done, 1 stopped, 0 failed, 0 waiting", self.log(job))
        self.assertFalse(os.path.exists(os.path.join(run, "DONE")))
        last = self.let_end("long", long)
        self.hurry(job)
        self.wait_end(job)
        self.assertIn("3 members done already", self.log(job))
        self.assertTrue(os.path.exists(os.path.join(run, "DONE")))
        self.assertEqual(self.newest_step(long), last)
        self.assert_same_as_straight("long", long, 1)
        self.wait_end(self.submit("gather.sbatch", run))
        # A finished run is not repeated by mistake.
        self.wait_end(self.submit("ensemble.sbatch", *arguments, sbatch=ON_TWO_NODES), "FAILED", 2)

    def test_a_sweep_goes_on_by_task_and_is_gathered_once_every_task_is_done(self):
        sweep, blocked = self.path("sweep"), self.path("sweep", "seed-0_gamma-0.5_m-4")
        os.makedirs(sweep)
        with open(blocked, "w", encoding="utf-8"):  # in the place of a folder of task 0
            pass
        options = self.options("sweep", 4)
        with open(options, "a", encoding="utf-8") as file:
            file.write("-deadline 1e-9\n")  # every task stops at once
        grid = ("--seeds", "0 1", "--gammas", "0.5 0.9", "--widths", "4")
        shape = ("--ntasks-per-node=1",)
        array = self.submit("sweep.sbatch", *grid, sweep, "-options_file", options, sbatch=("--array=0-3", *shape))
        gather = self.submit("gather.sbatch", sweep, sbatch=(f"--dependency=afterok:{array}",))
        tasks = [f"{array}_{k}" for k in range(4)]
        for task in tasks[1:]:
            self.wait_requeued(task)
        # The last task has the job number of the array, but it must requeue only itself.
        self.assertEqual(self.wait_end(tasks[0], "FAILED", 1)["Restarts"], "0")
        self.options("sweep", 4)
        for task in tasks[1:]:
            self.hurry(task)
        for task in tasks[1:]:
            self.assertEqual(self.wait_end(task)["Restarts"], "1")
        self.wait_end(gather, "CANCELLED")  # otherwise it would wait for ever

        incomplete = self.submit("gather.sbatch", sweep)
        self.wait_end(incomplete, "FAILED", 1)  # all existing runs are done, but one run of the table is missing
        self.assertIn(f"not done: {os.path.basename(blocked)} (no run.h5)", self.log(incomplete))
        os.remove(blocked)
        again = self.submit("sweep.sbatch", *grid, sweep, "-options_file", options, sbatch=("--array=0-1", *shape))
        gather = self.submit("gather.sbatch", sweep, sbatch=(f"--dependency=afterok:{again}",))
        self.wait_end(gather)
        self.assertIn("seed-0_gamma-0.9_m-4 is done", self.log(f"{again}_1"))
        self.check_table(sweep)

    def check_table(self, sweep):
        names = [f"seed-{seed}_gamma-{gamma}_m-4" for seed in (0, 1) for gamma in (0.5, 0.9)]
        with h5py.File(os.path.join(sweep, "runs.h5"), "r") as file:
            self.assertEqual(file.attrs["schema"], "poise-runs-1")
            runs = file["runs"]
            self.assertEqual([name.decode() for name in runs["name"]], names)
            self.assertEqual(list(runs["done"]), [1] * 4)
            self.assertEqual(list(runs["seed"]), [0, 0, 1, 1])
            self.assertEqual(list(runs["gamma"]), [0.5, 0.9, 0.5, 0.9])
            for k, name in enumerate(names):
                history = training.history(os.path.join(sweep, name))
                self.assertEqual(len(history["step"]), 5)  # no run was repeated
                np.testing.assert_equal(runs["last/loss"][k], history["loss"][-1])
        for ending in ("png", "pdf"):
            self.assertGreater(os.path.getsize(os.path.join(sweep, "figures", f"runs.{ending}")), 5000)

    def test_scaling_is_measured_both_ways_on_one_node_and_on_two(self):
        results = self.path("scaling")
        small = ("-m", 16, "-n", 32, "-repeat", 1, "-dgemm_size", 32)
        # Not exclusive, because other tests use the nodes, too.
        sbatch = ("--oversubscribe", *ON_TWO_NODES)
        job = self.submit("scaling.sbatch", results, *small, sbatch=sbatch)
        self.wait_end(job)
        with open(os.path.join(results, "scaling.csv"), newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        grids = {(row["kind"], row["launcher"], row["nodes"], row["grid"]) for row in rows}
        wanted = {(kind, launcher, nodes, grid) for kind in ("strong", "weak") for launcher in LAUNCHERS
                  for nodes, grid in (("1", "1x1"), ("2", "1x2"), ("2", "2x1"))}
        self.assertEqual(grids, wanted)
        self.assertTrue(all(float(row["speedup"]) > 0 for row in rows))
        self.assertGreater(os.path.getsize(os.path.join(results, "scaling.png")), 5000)

        # Again for the missing measurement, which fails now; the existing measurements stay.
        os.remove(os.path.join(results, "weak_features_mpirun_2.csv"))
        failing = self.fake_program("failing-bench", "exit 1", "poise-bench")
        job = self.submit("scaling.sbatch", results, *small, sbatch=sbatch, POISE_BIN=failing)
        self.wait_end(job, "FAILED", 1)
        self.assertIn("1 measurements failed", self.log(job))

        # A different problem is refused.
        job = self.submit("scaling.sbatch", results, *small, "-q", 3, sbatch=sbatch)
        self.wait_end(job, "FAILED", 2)
        self.assertIn("has measurements of something else", self.log(job))

    def test_an_audit_follows_the_training(self):
        options = self.options("audited", 4)
        job = self.submit("train.sbatch", "-options_file", options, "-run", self.path("audited"), sbatch=("--hold",))
        audit = self.submit("audit.sbatch", self.path("audited"), sbatch=(f"--dependency=afterok:{job}",))
        self.ask("scontrol", "release", job)
        self.wait_end(job)
        if os.access(os.path.join(self.environment["POISE_BIN"], "poise-audit"), os.X_OK):
            self.wait_end(audit)
            broken = self.submit("audit.sbatch", self.path("nothing"))
            self.wait_end(broken, "FAILED", 2)
        else:
            self.wait_end(audit, "FAILED", 2)
            self.assertIn("there is no ", self.log(audit))

    def test_an_audit_is_cancelled_where_the_training_failed(self):
        job = self.submit("train.sbatch", "-data", "missing.h5", "-run", self.path("unaudited"), sbatch=("--hold",))
        audit = self.submit("audit.sbatch", self.path("unaudited"), sbatch=(f"--dependency=afterok:{job}",))
        self.ask("scontrol", "release", job)
        self.wait_end(job, "FAILED", 2)
        self.wait_end(audit, "CANCELLED")


if __name__ == "__main__":
    unittest.main(verbosity=2)
