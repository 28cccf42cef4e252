"""Shared by the tests of poise-audit: audits that start as users start them, and checkpoints that are changed later."""

import json
import os
import struct
import subprocess
import zlib

import h5py
import numpy as np

from training import ENVIRONMENT, MPIEXEC, SOURCE, TrainingTest, patience

AUDIT = os.environ.get("POISE_AUDIT", os.path.join(SOURCE, "build", "apps", "poise-audit"))


SEAL = b"poise-crc32:"  # begins the attribute `checksum` of run.h5


def seal_again(path):
    """Writes the correct checksum of a run.h5: the CRC of all bytes, with the eight digits of the checksum taken as 0."""
    with open(path, "rb") as file:
        before, mark, behind = file.read().partition(SEAL)
    behind = behind[8:]
    checksum = b"%08x" % zlib.crc32(before + mark + b"00000000" + behind)
    with open(path, "wb") as file:
        file.write(before + mark + checksum + behind)


def sign_again(path):
    """Writes the correct checksums of a checkpoint, as described in checkpoint.hpp and checkpoint_format.cpp."""
    with h5py.File(path, "r+") as file:
        file.attrs.pop("text_heaps", None)  # h5py has changed texts
        entries = {}

        def list_attributes(name, item, left_out=()):
            for key, value in item.attrs.items():
                if key in left_out:
                    continue
                if isinstance(value, (str, bytes)):
                    text = "text " + (value.decode() if isinstance(value, bytes) else value)
                elif np.asarray(value).dtype == bool:
                    text = f"flag {int(value)}"
                elif np.issubdtype(np.asarray(value).dtype, np.integer):
                    text = f"integer {int(value)}"
                else:
                    text = "real " + str(struct.unpack("<Q", struct.pack("<d", float(value)))[0])
                entries[f"{name}@{key}"] = text

        def list_item(name, item):
            name = "/" + name
            if not isinstance(item, h5py.Dataset):
                return list_attributes(name, item)
            crc = zlib.crc32(np.ascontiguousarray(item[()], dtype="<f8").tobytes()) if item.size else 0
            item.attrs.modify("crc32", np.int64(crc))
            entries[name] = "data" + "".join(f" {n}" for n in item.shape) + f" crc32 {crc}"
            return list_attributes(name, item, ("crc32",))

        list_attributes("/", file, ("checksum", "complete"))
        file.visititems(list_item)
        crc = 0
        for name in sorted(entries):
            crc = zlib.crc32(f"{name}\n{entries[name]}\n".encode(), crc)
        before = int(file.attrs["checksum"])
        file.attrs.modify("checksum", np.int64(crc))
        return before == crc


class AuditTest(TrainingTest):
    def audit(self, run, *options, ranks=1, code=0, directory=None):
        """Audits a run; returns the JSON. The exit code must be `code`; `self.done` has the printed output."""
        verdict = self.path("verdict.json")
        if os.path.exists(verdict):
            os.remove(verdict)
        self.done = subprocess.run(
            [MPIEXEC, "-n", str(ranks), AUDIT, "-run", run, "-json", verdict, *map(str, options)],
            capture_output=True, text=True, timeout=patience(100), cwd=directory, env=ENVIRONMENT)
        self.assertEqual(self.done.returncode, code, f"{options} on {ranks} ranks\n{self.done.stdout}\n{self.done.stderr}")
        if code == 2:
            self.assertEqual(self.done.stderr.count("poise: error:"), 1, self.done.stderr)
            self.assertFalse(os.path.exists(verdict))
            return None
        self.assertNotIn("poise: error:", self.done.stderr)
        with open(verdict, encoding="utf-8") as file:
            found = json.load(file)
        self.assertEqual(found["schema"], "poise-audit-1")
        self.assertEqual(found["held"], code == 0)
        return found

    @staticmethod
    def states(found):
        return {row["id"]: row["state"] for row in found["rows"]}

    @staticmethod
    def row(found, name):
        return next(row for row in found["rows"] if row["id"] == name)

    def failed(self, found):
        """Ids of the rows that did not hold; the printed verdict must name all of them."""
        names = {row["id"] for row in found["rows"] if row["state"] == "not held"}
        verdict = self.done.stdout.splitlines()[-1]
        self.assertIn("verdict: NOT held:" if names else "verdict: all", verdict)
        for name in names:
            self.assertIn(name + " (", verdict)
        return names
