"""TERM, INT, USR1 and USR2 in every phase of a run, to one rank and to all ranks: the run stops with a checkpoint and goes
on with the same results, or ends as usual. The other programs end as signals end programs."""

import os
import signal

from crashes import CrashTest, DESCENT, DONE, REQUEUE, code_of_signal, files, main, program, training

PHASES = {"before MPI_Init": "call=MPI_Init", "reading data": "call=open path=regression.h5", "setup": "call=event event=FeatureQR",
          "training": "call=event event=Adjoint nth=3", "audit": "call=event event=Audit nth=2",
          "checkpoint": "call=fsync path=step-00000002", "history": "call=rename path=run.h5 nth=2",
          "end": "call=rename path=DONE", "MPI_Finalize": "call=MPI_Finalize"}


class Signals(CrashTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.options = ["-data", cls.regression, *DESCENT, "-time", 0.05]
        cls.straight = {ranks: cls.new_run() for ranks in (1, 2)}
        for ranks, run in cls.straight.items():
            assert training.train(*cls.options, "-run", run, ranks=ranks).returncode == DONE

    def check(self, case):
        phase, name, ranks, rank = case
        run = self.path(f"{phase} {name} {ranks} {rank}".replace(" ", "-"))
        log = run + ".log"
        code, text = self.run_train(*self.options, run=run, ranks=ranks, fault=f"{PHASES[phase]} rank={rank} do={name}",
                                    POISE_FAULT_LOG=log)
        self.assertTrue(os.path.exists(log), text)  # the signal was sent
        self.injected[name] += 1
        self.assertNotIn("PETSC ERROR", text)
        stops = name != "USR2" and phase not in ("end", "MPI_Finalize")
        self.assertEqual(code, REQUEUE if stops else DONE, text)
        self.assertEqual(os.path.exists(os.path.join(run, "DONE")), not stops, text)
        if stops:
            self.go_on(run, self.options, ranks)
        self.assert_same_run(self.straight[ranks], run)

    def test_a_run_stops_with_a_checkpoint_or_comes_to_its_end(self):
        cases = [(phase, name, *who) for phase in PHASES for i, name in enumerate(("TERM", "INT", "USR1", "USR2"))
                 for who in (((2, 0), (2, "all")) if i % 2 else ((1, "all"), (2, "all")))]
        self.all_of(cases, self.check)

    def test_usr2_writes_a_checkpoint_and_changes_nothing_else(self):
        options = [*self.options, "-checkpoint_every", 0]
        run, straight = self.new_run(), self.train(*options, ranks=2)
        code, text = self.run_train(*options, run=run, ranks=2, fault=f"{PHASES['audit']} rank=1 do=USR2")
        self.injected["USR2"] += 1
        self.assertEqual(code, DONE, text)
        self.assertEqual([len(training.checkpoints(path)) for path in (straight, run)], [1, 2])
        self.assert_same_run(straight, run)

    def test_a_second_int_ends_the_run_at_once_and_it_still_goes_on(self):
        run = self.new_run()
        code, text = self.run_train(*self.options, run=run, fault="call=event event=Audit nth=3+ do=INT")
        self.injected["INT"] += 1  # one signal: the run ends before its next step
        self.assertEqual(code, REQUEUE, text)
        code, text = self.run_train("-resume", run=run, fault="call=event nth=1+ do=INT")
        self.injected["INT"] += 2
        self.assertEqual(code, code_of_signal(signal.SIGINT), text)
        self.go_on(run, self.options, 1)
        self.assert_same_run(self.straight[1], run)

    def test_a_segmentation_fault_is_reported(self):
        run = self.new_run()
        code, text = self.run_train(*self.options, run=run, ranks=2, fault=f"{PHASES['audit']} rank=1 do=SEGV")
        self.injected["SEGV"] += 1
        self.assertEqual(code, code_of_signal(signal.SIGSEGV), text)
        self.assertIn("Segmentation fault", text)
        self.go_on(run, self.options, 2)
        self.assert_same_run(self.straight[2], run)

    def test_a_study_keeps_its_members_and_goes_on(self):
        # One group of both ranks, because a signal to one rank stops the group of this rank alone.
        studies = {"poise-sweep": ["-study", "width", "-widths", "3,5", "-gammas", 0.5, "-init_scales", 1, "-member_ranks", 2],
                   "poise-compare": ["-time", 0.1, "-points", 3, "-seeds", 1, "-member_ranks", 2]}

        def check(case):
            name, kind = case
            run = self.path(f"{name}-{kind}")
            code, text = self.run_program(program(name), "-data", self.regression, *studies[name], "-run", run, ranks=2,
                                          fault=f"call=MPI_Allreduce nth=30 rank=1 do={kind}")
            self.injected[kind] += 1
            self.assertEqual(code, REQUEUE, text)
            self.assertIn(f"to go on: {name} -run {run} -resume", text)
            code, text = self.run_program(program(name), "-run", run, "-resume", ranks=2)
            self.assertEqual(code, DONE, text)

        self.all_of([(name, kind) for name in studies for kind in ("TERM", "INT", "USR1")], check)

    def test_the_other_programs_end_and_leave_all_as_it_was(self):
        run = self.straight[2]
        programs = {"poise-audit": ["-run", run], "poise-spectrum": ["-run", run]}

        def check(case):
            name, kind = case
            code, text = self.run_program(program(name), *programs[name], ranks=2,
                                          fault=f"call=MPI_Allreduce nth=30 rank=1 do={kind}")
            self.injected[kind] += 1
            self.assertEqual(code, code_of_signal(getattr(signal, f"SIG{kind}")), text)
            self.assertNotIn("PETSC ERROR", text)

        before = files(run)
        kinds = ["TERM", "INT", "USR2"]
        if not training.launcher_is_hydra():  # which takes USR1 for a message of its own and returns 0
            kinds.append("USR1")
        self.all_of([(name, kind) for name in programs for kind in kinds], check)
        self.assertEqual(files(run), before)


if __name__ == "__main__":
    main()
