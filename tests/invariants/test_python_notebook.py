"""The tutorial notebook runs from its first to its last cell, in a folder that looks like the root after a build.

With nbclient and ipykernel a kernel runs it, as Jupyter does; without them, this Python runs its cells one after the
other.
"""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import unittest

from python_package import PACKAGE
from training import ENVIRONMENT, TRAIN, patience

NOTEBOOK = os.path.join(PACKAGE, "tutorial.ipynb")
HAS_KERNEL = all(importlib.util.find_spec(name) for name in ("nbclient", "nbformat", "ipykernel"))
BY_KERNEL = """
import sys, nbformat
from nbclient import NotebookClient
NotebookClient(nbformat.read(sys.argv[1], 4), timeout=int(sys.argv[2]), kernel_name="python3").execute()
"""


class Tutorial(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = scratch.name
        os.makedirs(os.path.join(self.folder, "build", "apps"))
        os.symlink(TRAIN, os.path.join(self.folder, "build", "apps", "poise-train"))
        with open(NOTEBOOK, encoding="utf-8") as file:
            self.cells = json.load(file)["cells"]

    def run_python(self, *arguments):
        done = subprocess.run([sys.executable, *arguments], cwd=self.folder, capture_output=True, text=True,
                              timeout=patience(200), env={**ENVIRONMENT, "PYTHONPATH": PACKAGE + os.pathsep +
                                                          os.environ.get("PYTHONPATH", ""), "MPLBACKEND": "Agg"})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_every_cell_runs(self):
        if HAS_KERNEL:
            self.run_python("-c", BY_KERNEL, NOTEBOOK, str(int(patience(100))))
        else:
            print("without nbclient and ipykernel: the cells run one after the other in this Python")
            code = ["".join(cell["source"]) for cell in self.cells if cell["cell_type"] == "code"]
            self.run_python("-c", "\n".join(code))

    def test_it_is_stored_without_results(self):
        self.assertGreater(len(self.cells), 10)
        for cell in self.cells:
            self.assertFalse(cell.get("outputs"), cell)


if __name__ == "__main__":
    unittest.main()
