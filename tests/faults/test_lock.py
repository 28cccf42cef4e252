"""One program at a time writes a directory. A second program is refused with the name of the first. A killed program
leaves no lock."""

import os
import signal
import socket

from crashes import BAD_INPUT, CrashTest, DESCENT, DONE, REQUEUE, kill, main, program, rank_processes, training

ENDLESS = [*DESCENT[:4], "-step_size", 1e-7, "-time", 1, "-checkpoint_every", 200]


class Lock(CrashTest):
    def long_run(self, run, **how):
        process = self.launch_train("-data", self.regression, *ENDLESS, run=run, ranks=2, **how)
        self.assertTrue(self.wait_until(lambda: os.path.isdir(run) and os.path.exists(run + "/run.h5"), process))
        return process

    def refuse(self, words, text, code):
        self.injected["second program"] += 1
        messages = [line for line in text.splitlines() if "poise: error:" in line]
        self.assertEqual((code, len(messages)), (BAD_INPUT, 1), text)
        for word in words:
            self.assertIn(word, messages[0])

    def test_a_second_program_is_refused_and_the_first_goes_on(self):
        run = self.new_run()
        first = self.long_run(run, SLURM_JOB_ID="4711")
        pids = rank_processes(first)
        others = [[training.TRAIN, "-data", self.regression, *ENDLESS], [training.TRAIN, "-resume"],
                  [program("poise-sweep"), "-data", self.regression, "-study", "width", "-widths", "3,5"],
                  [program("poise-compare"), "-data", self.regression]]
        self.wait_until(lambda: training.checkpoints(run), first)

        def check(words):
            code, text = self.run_program(*words, "-run", run, ranks=2)
            self.refuse(["in use by process", f"on host {socket.gethostname()}", "SLURM job 4711"], text, code)
            self.assertTrue(any(f"process {pid} " in text for pid in pids), text)

        self.all_of(others, check)
        # Programs that only read need no lock.
        code, text = self.run_program(program("poise-spectrum"), "-run", run)
        self.assertEqual(code, DONE, text)
        for pid in pids:
            os.kill(pid, signal.SIGUSR1)
        code, text = self.finish(first)
        self.assertEqual(code, REQUEUE, text)

    def test_a_killed_program_leaves_no_lock(self):
        run = self.new_run()
        process = self.long_run(run)
        pids = rank_processes(process)
        self.wait_until(lambda: training.checkpoints(run), process)
        kill([process.pid, *pids])
        self.injected["kill -9 of all ranks"] += 1
        self.finish(process)
        with open(os.path.join(run, ".lock"), encoding="utf-8") as file:
            self.assertIn("process", file.read())  # a killed program cannot remove the file
        code, text = self.run_train("-resume", "-deadline", 1e-9, run=run, ranks=3)
        self.assertEqual(code, REQUEUE, text)

    def test_runs_and_studies_do_not_mix(self):
        for name, options in (("poise-sweep", ["-study", "width", "-widths", "4", "-seeds", 1, "-time", 0.01]),
                              ("poise-compare", ["-points", 2, "-seeds", 1, "-time", 0.01])):
            run = self.path(name)
            code, text = self.run_program(program(name), "-data", self.regression, *options, "-run", run, ranks=1)
            self.assertIn(code, (0, 1), text)
            before = training.files(run)
            code, text = self.run_train("-data", self.regression, *ENDLESS, run=run)
            self.refuse([run, "already holds a study"], text, code)
            self.assertEqual(training.files(run), before)


if __name__ == "__main__":
    main()
