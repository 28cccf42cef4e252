"""If the clock jumps back, no checkpoint is lost, deadlines hold, and no time is negative."""

import os
import time

from crashes import CrashTest, DESCENT, DONE, REQUEUE, checkpoints, main, rank_processes, training

BACK = "rank=all do=back=100000"  # seconds, more than a day; for the system clock and MPI_Wtime
AT_A_STEP = f"call=event event=DynamicsUpdate nth=2 {BACK}"
AT_ONCE = 1e-9
ENDLESS = [*DESCENT[:4], "-step_size", 1e-7, "-time", 1, "-checkpoint_every", 0]


class Clock(CrashTest):
    def assert_jumped(self, log, ranks):
        with open(log, encoding="utf-8") as file:
            self.assertEqual(len(file.readlines()), ranks)
        self.injected["clock"] += 1

    def test_checkpoints_by_the_clock_go_on(self):
        options = ["-data", self.regression, *DESCENT, "-time", 0.1, "-checkpoint_every", 0]
        straight = self.train(*options, ranks=2)

        def check(nth):
            run = self.path(f"seconds-{nth}")
            code, text = self.run_train(*options, "-checkpoint_seconds", AT_ONCE, "-checkpoint_keep", 0, run=run,
                                        ranks=2, fault=f"call=clock nth={nth} {BACK}", POISE_FAULT_LOG=run + ".log")
            self.assertEqual(code, DONE, text)
            self.assert_jumped(run + ".log", 2)
            self.assertEqual(len(checkpoints(run)), len(training.history(run)["step"]))  # one checkpoint per step
            self.assertGreaterEqual(training.history(run)["wall_seconds"][0], 0)
            self.assert_same_run(straight, run)

        self.all_of((1, 100, 1000, 3000), check)

    def test_deadlines_hold(self):
        def check(case):
            name, options = case
            run = self.path(f"deadline-{name}")
            job = {"SLURM_JOB_END_TIME": str(int(time.time()) + 4)} if name == "job" else {}
            code, text = self.run_train("-data", self.regression, *ENDLESS, *options, run=run, ranks=2,
                                        fault=AT_A_STEP, POISE_FAULT_LOG=run + ".log", **job)
            self.assertEqual(code, REQUEUE, text)
            self.assert_jumped(run + ".log", 2)
            self.assertIn("asked to stop by the deadline", text)
            seconds = training.history(run)["wall_seconds"]
            self.assertTrue((seconds[1:] >= seconds[:-1]).all() and seconds[0] >= 0, seconds)

        self.all_of([("own", ["-deadline", 2]), ("job", [])], check)

    def test_the_history_is_written_while_the_run_goes_on(self):
        run = self.new_run()
        process = self.launch_train("-data", self.regression, *ENDLESS, run=run, ranks=1, fault=AT_A_STEP,
                                    POISE_FAULT_LOG=run + ".log")
        path = os.path.join(run, "run.h5")
        self.assertTrue(self.wait_until(lambda: os.path.exists(path), process))
        first = os.stat(path).st_ino
        self.assertTrue(self.wait_until(lambda: os.stat(path).st_ino != first, process))
        self.assert_jumped(run + ".log", 1)
        for pid in rank_processes(process):
            os.kill(pid, 15)
        self.assertEqual(self.finish(process)[0], REQUEUE)


if __name__ == "__main__":
    main()
