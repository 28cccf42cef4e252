"""Disks that are full, read-only or gone: a clear message; saved files stay intact; once there is space again, the run
ends with the same results. Runs in a new mount namespace; ends with code 77 if that is not permitted."""

import os
import shutil
import subprocess
import sys

from crashes import BAD_INPUT, CrashTest, DESCENT, DONE, FAILED, files, main, newest_step, program, training


def enter_own_mounts():
    unshare = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    try:
        probe = subprocess.run([*unshare, "mount", "-t", "tmpfs", "none", "/tmp"], capture_output=True, text=True)
    except FileNotFoundError as error:
        probe = subprocess.CompletedProcess(unshare, 1, "", str(error))
    if probe.returncode != 0:
        print(f"skipped: mounting a small disk is not permitted here: {probe.stderr.strip()}")
        sys.exit(77)
    os.execvpe(unshare[0], [*unshare, sys.executable, *sys.argv], {**os.environ, "POISE_OWN_MOUNTS": "1"})


class Disk(CrashTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.options = ["-data", cls.regression, *DESCENT, "-time", 0.1, "-checkpoint_keep", 0]
        cls.straight = {ranks: cls.new_run() for ranks in (1, 3)}
        for ranks, run in cls.straight.items():
            assert training.train(*cls.options, "-run", run, ranks=ranks).returncode == DONE

    def mount(self, folder, *how):
        subprocess.run(["mount", *how, folder], check=True)
        self.addCleanup(subprocess.run, ["umount", "--lazy", folder], check=True)

    def disk(self, kib):
        folder = self.new_run()
        os.mkdir(folder)
        self.mount(folder, "-t", "tmpfs", "-o", f"size={kib}k", "none")
        return folder

    def read_only(self, folder):
        self.mount(folder, "--bind", folder)
        subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
        return folder

    def fail_with(self, words, code, text, codes=(FAILED,)):
        messages = [line for line in text.splitlines() if "poise: error:" in line]
        self.assertIn(code, codes, text)
        self.assertEqual(len(messages), 1, text)
        for word in words:
            self.assertIn(word, messages[0])
        self.assertNotIn("PETSC ERROR", text)

    # ---- Full ---------------------------------------------------------------------------------------------------

    def test_a_run_that_finds_no_room_at_its_start_blocks_nothing(self):
        def check(case):
            ranks, room = case
            disk = self.disk(room)
            run = os.path.join(disk, "run")
            code, text = self.run_train(*self.options, run=run, ranks=ranks)
            self.injected["ENOSPC"] += 1
            self.fail_with([disk, "No space left on device"], code, text)
            self.assertEqual(newest_step(run), -1)
            subprocess.run(["mount", "-o", "remount,size=8m", disk], check=True)
            self.go_on(run, self.options, ranks)
            self.assert_same_run(self.straight[ranks], run)

        self.all_of([(ranks, room) for ranks in (1, 3) for room in (4, 40, 200, 320)], check)

    def test_a_disk_that_fills_while_the_run_goes_on_harms_no_checkpoint(self):
        def check(case):
            ranks, room = case
            disk = self.disk(room)
            run = os.path.join(disk, "run")
            code, text = self.run_train(*self.options, run=run, ranks=ranks)
            self.injected["ENOSPC"] += 1
            self.fail_with([run, "No space left on device"], code, text)
            self.assertGreater(newest_step(run), -1)
            before = files(os.path.join(run, "checkpoints"))
            subprocess.run(["mount", "-o", "remount,size=8m", disk], check=True)
            self.go_on(run, self.options, ranks)
            after = files(os.path.join(run, "checkpoints"))
            for name in before.keys() - {"latest"}:
                self.assertEqual(after[name], before[name], name)
            self.assert_same_run(self.straight[ranks], run)

        self.all_of([(ranks, room) for ranks in (1, 3) for room in (400, 440, 480)], check)

    def test_no_room_for_the_history(self):
        def check(case):
            ranks, fault = case
            # Without the path of the fault, which would match other files in this directory.
            run = self.path(f"history-{ranks}-{fault.split()[0].removeprefix('call=')}")
            code, text = self.run_train(*self.options, run=run, ranks=ranks, fault=f"{fault} rank=0 do=ENOSPC")
            self.injected["ENOSPC"] += 1
            self.fail_with(["run.h5", "No space left on device"], code, text)
            self.go_on(run, self.options, ranks)
            self.assert_same_run(self.straight[ranks], run)

        self.all_of([(ranks, f"call={call} path=.run.h5.tmp nth={nth}") for ranks in (1, 3)
                     for call, nth in (("write", 1), ("fsync", 4))], check)

    def test_the_other_programs_say_what_they_cannot_write(self):
        run = self.straight[3]
        before = files(run)
        small = ["-data", self.regression, "-time", 0.01]

        def check(case):
            name, output, options = case
            disk = self.disk(8)
            with open(os.path.join(disk, "filling"), "wb") as file:
                file.write(bytes(8 << 10))
            path = os.path.join(disk, output)
            code, text = self.run_program(program(name), *[path if word == "PATH" else word for word in options])
            self.injected["ENOSPC"] += 1
            self.fail_with([disk, "No space left on device"], code, text, (FAILED, BAD_INPUT))
            left = {name for name, content in files(disk).items() if content and name != "filling"}
            self.assertEqual(left, set())
            os.remove(os.path.join(disk, "filling"))
            subprocess.run(["mount", "-o", "remount,size=8m", disk], check=True)
            code, text = self.run_program(program(name), *[path if word == "PATH" else word for word in options])
            self.assertEqual(code, DONE, text)

        self.all_of([
            ("poise-data", "data.h5", ["synthetic", "-samples", 300, "-inputs", 9, "-outputs", 1, "-out", "PATH"]),
            ("poise-audit", "audit.json", ["-run", run, "-json", "PATH"]),
            ("poise-sweep", "sweep", [*small, "-study", "width", "-widths", "3,5", "-run", "PATH"]),
            ("poise-compare", "compare", [*small, "-seeds", 1, "-points", 2, "-run", "PATH"])], check)
        self.assertEqual(files(run), before)

    # ---- Read-only, in the way, gone ----------------------------------------------------------------------------

    def test_a_read_only_disk(self):
        run = self.copy_run(self.straight[3])
        data = shutil.copy(self.regression, self.path("read-only.h5"))
        os.remove(os.path.join(run, "DONE"))
        self.read_only(run)
        before = files(run)
        for ranks in (1, 3):
            for options, words in (([*self.options], run), (["-resume"], run)):
                code, text = self.run_train(*options, run=run, ranks=ranks)
                self.injected["EROFS"] += 1
                self.fail_with([words, "Read-only file system"], code, text)
        code, text = self.run_train(*self.options, run=os.path.join(run, "sub", "run"))
        self.injected["EROFS"] += 1
        self.fail_with([run, "Read-only file system"], code, text)
        # poise-audit needs no lock, and data files are only read.
        code, text = self.run_program(program("poise-audit"), "-run", run, ranks=2)
        self.assertEqual(code, DONE, text)
        folder = self.new_run()
        os.mkdir(folder)
        data = shutil.copy(data, folder)
        self.read_only(folder)
        self.train("-data", data, *DESCENT, "-time", 0.02, ranks=2)
        self.assertEqual(files(run), before)

    def test_a_file_where_the_run_directory_should_be(self):
        path = self.new_run()
        with open(path, "w", encoding="utf-8") as file:
            file.write("mine")
        for ranks in (1, 3):
            code, text = self.run_train(*self.options, run=path, ranks=ranks)
            self.injected["file in the way"] += 1
            self.fail_with([path], code, text, (FAILED, BAD_INPUT))
        with open(path, encoding="utf-8") as file:
            self.assertEqual(file.read(), "mine")

    def test_a_run_directory_that_vanishes(self):
        endless = ["-data", self.regression, *DESCENT[:4], "-step_size", 1e-6, "-time", 1, "-checkpoint_every", 20]
        for ranks in (1, 3):
            run = self.new_run()
            process = self.launch_train(*endless, run=run, ranks=ranks)
            self.assertTrue(self.wait_until(lambda: newest_step(run) >= 0, process))
            os.rename(run, run + "-moved")
            self.injected["vanished directory"] += 1
            code, text = self.finish(process)
            self.fail_with([run, "No such file or directory"], code, text)
            os.rename(run + "-moved", run)
            code, text = self.run_train("-resume", "-deadline", 1e-9, run=run, ranks=ranks)
            self.assertEqual(code, training.REQUEUE, text)

    # ---- Damaged ------------------------------------------------------------------------------------------------

    def test_a_lost_or_damaged_history_does_not_lose_the_run(self):
        run = self.train(*self.options, "-steps", 5, ranks=1)
        path = os.path.join(run, "run.h5")
        with open(path, "r+b") as file:
            file.seek(900)
            byte = file.read(1)
            file.seek(900)
            file.write(bytes([byte[0] ^ 4]))
        self.injected["flipped byte"] += 1
        code, text = self.run_train("-resume", "-steps", 10**6, run=run)
        self.fail_with(["run.h5", "is damaged", "move it away"], code, text, (BAD_INPUT,))
        os.remove(path)
        self.injected["lost file"] += 1
        code, text = self.run_train("-resume", "-steps", 10**6, run=run)
        self.assertEqual(code, DONE, text)
        self.assertIn("poise: warning: there is no", text)
        self.assertEqual(training.history(run)["step"][0], 6)
        self.assert_same_parameters(self.straight[1], run)

    def test_a_history_that_lags_behind_its_checkpoint_is_told(self):
        run = self.train(*self.options, "-steps", 3, ranks=1)
        old = self.path("old.h5")
        shutil.copy(os.path.join(run, "run.h5"), old)
        self.train("-resume", "-steps", 6, run=run)
        shutil.copy(old, os.path.join(run, "run.h5"))
        self.injected["old file"] += 1
        code, text = self.run_train("-resume", "-steps", 10**6, run=run)
        self.assertEqual(code, DONE, text)
        self.assertIn("ends at step 3, before the checkpoint of step 6", text)
        self.assert_same_parameters(self.straight[1], run)


if __name__ == "__main__":
    if "POISE_OWN_MOUNTS" not in os.environ:
        enter_own_mounts()
    main()
