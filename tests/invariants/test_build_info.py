"""The commit that run files name, and whether sources were changed since, both at the time of the build."""

import os
import shutil
import subprocess
import tempfile
import unittest

SOURCE = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
SCRIPT = os.path.join(SOURCE, "cmake", "BuildInfo.cmake")


@unittest.skipUnless(shutil.which("git"), "git is not installed")
class BuildInfo(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.scratch = scratch.name
        self.tree = self.make_tree("tree")

    def path(self, *names):
        return os.path.join(self.scratch, *names)

    def make_tree(self, name):
        """Makes the files that the script reads, and a source file."""
        tree = self.path(name)
        for folder in ("src", "apps", "cmake"):
            os.makedirs(os.path.join(tree, folder))
        for file in (".gitattributes", "cmake/archived_commit.txt", "cmake/build_info.hpp.in", "CMakeLists.txt"):
            shutil.copy(os.path.join(SOURCE, file), os.path.join(tree, file))
        self.write("a", name, "src", "a.cpp")
        self.write("readme", name, "README.md")
        return tree

    def write(self, text, *names):
        with open(self.path(*names), "w", encoding="utf-8") as file:
            file.write(text)

    def git(self, *words):
        identity = {f"GIT_{who}_{what}": f"{who}@example.org" for who in ("AUTHOR", "COMMITTER")
                    for what in ("NAME", "EMAIL")}
        done = subprocess.run(["git", "-C", self.tree, *words], capture_output=True, check=True,
                              env={**os.environ, **identity})
        return done.stdout

    def commit(self):
        """Commits everything and returns the commit's name."""
        self.git("init", "-q")
        self.git("add", "-A")
        self.git("commit", "-qm", "all")
        return self.git("rev-parse", "HEAD").decode().strip()[:12]

    def header(self, tree=None):
        header = self.path("header.hpp")
        subprocess.run(["cmake", f"-DSOURCE={tree or self.tree}", f"-DHEADER={header}", "-DCOMPILER=GNU 12",
                        "-DFLAGS=-O3 -DX=\"a b\"", "-P", SCRIPT], check=True, capture_output=True)
        with open(header, encoding="utf-8") as file:
            return file.read()

    def assert_commit(self, commit, tree=None):
        self.assertIn(f'#define POISE_GIT "{commit}"\n', self.header(tree))

    def test_a_commit_and_changes_since_it(self):
        first = self.commit()
        self.assert_commit(first)
        self.write("changed", "tree", "README.md")
        self.assert_commit(first)  # the file is not a source of a program
        self.write("new", "tree", "src", "b.cpp")
        self.assert_commit(f"{first}-dirty")
        second = self.commit()
        self.assertNotEqual(first, second)
        self.assert_commit(second)
        self.write("changed", "tree", "src", "a.cpp")
        self.assert_commit(f"{second}-dirty")

    def test_the_header_of_an_unchanged_tree_is_left_alone(self):
        self.commit()
        self.header()
        before = os.stat(self.path("header.hpp")).st_mtime_ns
        self.assertIn('R"(-O3 -DX="a b")"', self.header())
        self.assertEqual(os.stat(self.path("header.hpp")).st_mtime_ns, before)

    def test_an_archive_knows_its_commit(self):
        commit = self.commit()
        self.git("archive", "-o", self.path("archive.tar"), "HEAD")
        os.makedirs(self.path("unpacked"))
        subprocess.run(["tar", "-xf", self.path("archive.tar"), "-C", self.path("unpacked")], check=True)
        self.assert_commit(commit, self.path("unpacked"))

    def test_a_copy_without_git_is_unknown_also_inside_another_repository(self):
        self.assert_commit("unknown")
        self.commit()
        os.makedirs(self.path("tree", "vendor"))
        copy = self.make_tree("tree/vendor/copy")
        self.assert_commit("unknown", copy)


if __name__ == "__main__":
    unittest.main()
