"""Every item of THEORY.md that sources cite, or that programs print to users, exists there.

    test_citations.py [SOURCE_DIRECTORY]
"""

import pathlib
import re
import sys
import tempfile
import unittest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ("src", "apps", "tests")
TEXTS = {".cpp", ".hpp", ".h", ".py", ".md", ".txt", ".cmake", ".sh", ".opts", ".sbatch", ".in"}
# Pages that were never in the repository. The names are put together, so that this file does not contain them.
GONE = [name + ".md" for name in ("theory", "architecture", "house", "interface")]

ITEM = r"\d{1,2}(?:\.\d{1,2})?(?![\d.]*\d)"
# A blank, or a line break between two lines of a comment.
GAP = r"(?:[ \t]|\n[ \t]*(?:///?<?|#)?[ \t]*)"
JOINT = rf"(?:{GAP}*,{GAP}*(?:and{GAP}+)?|{GAP}+(?:and|or|to|for|against){GAP}+)"
CITATION = re.compile(rf"THEORY\.md{GAP}+(?:items?{GAP}+|sections?{GAP}+)?({ITEM}(?:{JOINT}{ITEM})*)")
RANGE = re.compile(rf"({ITEM}){GAP}+to{GAP}+({ITEM})")
STRING = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
LIST = rf"{ITEM}(?:, {ITEM})*"


def items_of(theory):
    """The numbers of all items in their order: of headings `## 4 Title` and of paragraphs that begin with **4.2**."""
    return re.findall(r"^(?:## |\*\*)(\d+(?:\.\d+)?)(?= |\*\*)", theory, re.MULTILINE)


def expand(cited, items):
    """The items of "5.1 to 5.3" and "3.1, 5.2"."""
    named = re.findall(ITEM, cited)
    for first, last in RANGE.findall(cited):
        if first in items and last in items:
            named += items[items.index(first) + 1:items.index(last)]
    return named


def citations(text, items):
    """(position, item) of every item that a text cites by the name of the page."""
    return [(match.start(), item) for match in CITATION.finditer(text) for item in expand(match.group(1), items)]


def printed(path, text):
    """(position, item) of every item that a program prints, or that README.md shows as printed."""
    if path.name == "README.md":
        pattern = re.compile(rf"^[^|\n]+ \(({LIST})\) {{2,}}", re.MULTILINE)
        return [(match.start(), item) for match in pattern.finditer(text) for item in match.group(1).split(", ")]
    found = []
    if path.suffix not in {".cpp", ".hpp"}:
        return found
    rows = path.parent.name in {"audit"}  # there, a row has its items as a separate string
    for match in STRING.finditer(text):
        if rows and re.fullmatch(LIST, match.group(1)):
            found += [(match.start(), item) for item in match.group(1).split(", ")]
        elif path.parent.name in {"audit", "spectrum", "poise_sweep"}:
            found += [(match.start(), item) for item in re.findall(r"\((\d{1,2}\.\d{1,2})\)", match.group(1))]
    return found


def sources(root):
    yield from sorted(root.glob("*.md"))
    for folder in FOLDERS:
        yield from sorted(p for p in (root / folder).rglob("*") if p.suffix in TEXTS and p.is_file())


def place(root, path, text, position):
    return f"{path.relative_to(root)}:{text.count(chr(10), 0, position) + 1}"


def check(root, items):
    """(number of citations by name, number of printed items, "file:line: ..." of each that is missing)."""
    by_name, shown, missing = 0, 0, []
    for path in sources(root):
        text = path.read_text(encoding="utf-8")
        cited, in_rows = citations(text, items), printed(path, text)
        by_name += len(cited)
        shown += len(in_rows)
        missing += [f"{place(root, path, text, position)}: THEORY{'.md'} has no item {item}"
                    for position, item in cited + in_rows if item not in items]
    return by_name, shown, missing


class Citations(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.items = items_of((SOURCE / "src/poise/theory/THEORY.md").read_text(encoding="utf-8"))

    def test_every_cited_item_exists(self):
        by_name, shown, missing = check(SOURCE, self.items)
        self.assertEqual(missing, [], "\n".join(missing))
        self.assertGreaterEqual(by_name, 50, "too few citations found: has their form changed?")
        self.assertGreaterEqual(shown, 30, "too few printed items found: have the claims moved?")

    def test_items_are_in_order_and_unique(self):
        numbers = [tuple(int(part) for part in item.split(".")) for item in self.items]
        self.assertEqual(numbers, sorted(set(numbers)))
        for section in range(1, 11):
            self.assertIn(str(section), self.items)

    def test_items_that_do_not_exist_are_found_with_their_line(self):
        page = "THEORY" + ".md"
        with tempfile.TemporaryDirectory() as name:
            root = pathlib.Path(name)
            folder = root / "src" / "poise" / "audit"
            folder.mkdir(parents=True)
            (folder / "claim_made_up.cpp").write_text(
                f"/// Of {page} 4.2.\n/// Of {page} 4.1, 4.99 and\n/// 5.98, of {page}\n/// 5.97 too\n"
                'row("id", "claim", "7.2, 7.96");\n', encoding="utf-8")
            by_name, shown, missing = check(root, self.items)
        self.assertEqual((by_name, shown), (5, 2))
        where = "src/poise/audit/claim_made_up.cpp"
        self.assertEqual(missing, [f"{where}:2: {page} has no item 4.99", f"{where}:2: {page} has no item 5.98",
                                   f"{where}:3: {page} has no item 5.97", f"{where}:5: {page} has no item 7.96"])

    def test_lists_and_ranges_are_read(self):
        def cited(text):
            return [item for _, item in citations("THEORY" + ".md " + text, ["5", "5.1", "5.2", "5.3", "6"])]

        self.assertEqual(cited("5.1 to 5.3"), ["5.1", "5.3", "5.2"])
        self.assertEqual(cited("3.1, 5.2),"), ["3.1", "5.2"])
        self.assertEqual(cited("7.1, 7.3, 7.4 and 7.5, and others"), ["7.1", "7.3", "7.4", "7.5"])
        self.assertEqual(cited("6's S_t. 8"), ["6"])
        self.assertEqual(cited("4, d vec(W)/dt"), ["4"])
        self.assertEqual(cited("5; Polyak 1963"), ["5"])
        self.assertEqual(cited("is a page"), [])

    def test_no_page_is_named_that_is_not_here(self):
        names = re.compile(r"\b(?:" + "|".join(re.escape(name) for name in GONE) + r")\b")
        found = []
        for path in sources(SOURCE):
            text = path.read_text(encoding="utf-8")
            found += [f"{place(SOURCE, path, text, m.start())}: {m.group()}" for m in names.finditer(text)]
        self.assertEqual(found, [], "\n".join(found))


if __name__ == "__main__":
    if len(sys.argv) > 1 and pathlib.Path(sys.argv[1]).is_dir():
        SOURCE = pathlib.Path(sys.argv.pop(1)).resolve()
    unittest.main()
