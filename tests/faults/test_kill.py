"""kill -9 at random moments, of one rank and of all ranks: every run can go on, and ends with the results of a run that
was not killed."""

import os
import random
import time

from crashes import CrashTest, DESCENT, ROUNDING, is_running, kill, launch, main, newest_step, rank_processes, training

RUNS = 50
DYNAMICS = {"adam": [*DESCENT, "-method", "adam", "-time", 0.15],
            "flow": ["-features", "whiten", "-dynamics", "flow", "-time", 0.4, "-checkpoint_every", 1]}


class Kill(CrashTest):
    def options(self, dynamics):
        return ["-data", self.regression, *DYNAMICS[dynamics]]

    def kill_once(self, run, options, ranks, who, moment):
        """Starts or resumes a run and kills it: `moment` seconds after the launch, or, if negative, -`moment` steps after the
        newest checkpoint."""
        before = newest_step(run)
        again = ["-resume"] if before >= 0 else options
        process = launch(training.TRAIN, *again, "-run", run, ranks=ranks)
        if moment < 0:
            self.wait_until(lambda: newest_step(run) >= before - moment, process)
            time.sleep(self.chance(run).uniform(0, 0.03))
        else:
            time.sleep(moment)
        pids = rank_processes(process)
        if pids:
            self.injected[f"kill -9 of {who}"] += 1
            kill([process.pid, *pids] if who == "all ranks" else [self.chance(run).choice(sorted(pids))])
        code, text = self.finish(process)
        if pids and code == 0 and who == "all ranks":
            self.fail(f"code 0 although it was killed\n{text}")
        while any(map(is_running, pids)):
            time.sleep(0.01)

    @staticmethod
    def chance(run):
        return random.Random(f"{os.path.basename(run)} {newest_step(run)}")

    def check(self, case):
        number, dynamics, ranks, who, moments, last_ranks = case
        options, run = self.options(dynamics), self.path(f"killed-{number}")
        for moment in moments:
            self.kill_once(run, options, ranks, who, moment)
        self.go_on(run, options, last_ranks)
        same = ranks == last_ranks
        self.assert_same_run(self.straight[dynamics, ranks], run, 0.0 if same else ROUNDING)

    def test_no_run_is_lost(self):
        self.straight = {(dynamics, ranks): self.train(*self.options(dynamics), ranks=ranks)
                         for dynamics in DYNAMICS for ranks in (1, 2, 3, 4)}
        choose = random.Random(5)
        cases = []
        for number in range(RUNS):
            ranks = choose.choice([1, 2, 2, 3, 4])
            # Mostly during the run, sometimes before its first checkpoint; every third run is killed three times.
            moments = [choose.uniform(0, 0.6) if choose.random() < 0.2 else -choose.randint(1, 5)
                       for _ in range(3 if number % 3 == 0 else 1)]
            cases.append((number, choose.choice(list(DYNAMICS)), ranks, "all ranks" if number % 2 else "one rank",
                          moments, ranks if number % 4 < 2 else choose.choice([1, 2, 3])))
        self.all_of(cases, self.check)
        self.assertGreater(sum(self.injected.values()), RUNS // 2)  # the other runs had ended before the kill


if __name__ == "__main__":
    main()
