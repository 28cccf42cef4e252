"""Shared by the tests of graph files: runs poise-data and reads what it has written."""

import os
import subprocess

import h5py

from training import DATA, DONE, ENVIRONMENT, MPIEXEC, ScratchTest, patience


class GraphFilesTest(ScratchTest):
    def data(self, *words, code=DONE, ranks=1):
        launcher = [MPIEXEC, "-n", str(ranks)] if ranks > 1 else []
        done = subprocess.run(launcher + [DATA, *map(str, words)], capture_output=True, text=True, timeout=patience(60),
                              check=False, env=dict(os.environ, **ENVIRONMENT))
        said = done.stdout + done.stderr
        self.assertEqual(done.returncode, code, said)
        self.assertEqual(said.count("poise: error:"), int(code != DONE), said)
        return said

    def content(self, name):
        found = {}
        with h5py.File(self.path(name)) as file:
            file.visititems(lambda key, item: found.update({key: item[()]}) if isinstance(item, h5py.Dataset) else None)
        return found
