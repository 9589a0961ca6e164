"""Tests of the harness itself: `python3 -m unittest discover crates/leakcheck/suites`. They build nothing."""

import subprocess
import sys
import tempfile
import unittest
from contextlib import redirect_stderr
from importlib.machinery import SourceFileLoader
from io import StringIO
from pathlib import Path

from outcome import Run
from swap import Copy, without_dependency

HERE = Path(__file__).resolve().parent

PRINTED = """\
     Running unittests src/lib.rs (/x/target/debug/deps/pool-0123456789abcdef)

running 3 tests
test ends ... ok
test keeps ... FAILED
test later - should panic ... ok

successes:

---- later stdout ----
note: besides the panic, leak: 1 task left
  1 task spawned at src/pool.rs:9:5: live; under 1 s old

successes:
    ends

failures:

---- keeps stdout ----

thread 'keeps' (7) panicked at src/lib.rs:20:10:
leak: 3 tasks left
  2 tasks spawned at /home/me/.cargo/registry/src/index-0/hyper-util-0.1.9/src/rt/tokio.rs:127:9: 1 parked, 1 live; oldest 2 s
    2 by the task spawned at src/pool.rs:9:5
  1 task spawned at src/pool.rs:12:5 panicked at src/pool.rs:14:5: no such key
  1 task spawned at src/pool.rs:9:5: parked; under 1 s old
  1 blocking thread still busy: running a closure of spawn_blocking, or standing in for a worker in block_in_place
  waited 2.5 s for socket to 127.0.0.1:6379: `settle` gives more

note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace

failures:
    keeps

test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.25s

     Running tests/late.rs (/x/target/debug/deps/late-0123456789abcdef)

running 2 tests
test broken ... FAILED
test skipped ... ignored

failures:

---- broken stdout ----

thread 'broken' (8) panicked at tests/late.rs:3:5:
assertion failed: early

failures:
    broken

test result: FAILED. 0 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 1.00s
"""
KEEPS, LATER, BROKEN = ("pool src/lib.rs", "keeps"), ("pool src/lib.rs", "later"), ("tests/late.rs", "broken")


class Outcome(unittest.TestCase):
    def setUp(self):
        self.run_read = Run(PRINTED)

    def test_every_test_has_its_outcome_and_target(self):
        self.assertEqual({outcome: self.run_read.count(outcome) for outcome in ("ok", "FAILED", "ignored")},
                         {"ok": 2, "FAILED": 2, "ignored": 1})
        self.assertEqual(self.run_read.outcomes[KEEPS], "FAILED")
        self.assertEqual((self.run_read.seconds, self.run_read.finished), (1.25, 2))

    def test_reports_are_read_by_line_and_notes_too(self):
        lines = self.run_read.by_line()
        self.assertEqual(lines["src/pool.rs:9:5"]["tasks"], 2)
        self.assertEqual(lines["src/pool.rs:9:5"]["states"], {"live", "parked"})
        self.assertEqual(lines["hyper-util-0.1.9/src/rt/tokio.rs:127:9"]["states"], {"parked, live"})
        self.assertEqual(lines["blocking closures"]["tasks"], 1)
        self.assertEqual(lines["blocking closures"]["waited"], {"waited 2.5 s for socket to 127.0.0.1:6379"})
        # A task that panicked is gone.
        self.assertEqual(lines.keys(), {"src/pool.rs:9:5", "hyper-util-0.1.9/src/rt/tokio.rs:127:9", "blocking closures"})
        self.assertEqual(self.run_read.reports.keys(), {KEEPS, LATER})

    def test_a_change_without_a_report_is_told_with_its_reason(self):
        before = Run(PRINTED.replace("broken ... FAILED", "broken ... ok").replace("keeps ... FAILED", "keeps ... ok"))
        changed = list(self.run_read.changed_otherwise(before))
        self.assertEqual(changed, [(BROKEN, "ok", "FAILED", "assertion failed: early")])

    def test_a_round_with_another_count_differs(self):
        other = Run(PRINTED.replace("  1 task spawned at src/pool.rs:9:5: parked", "  2 tasks spawned at src/pool.rs:9:5: parked"))
        self.assertEqual(other.signature() - self.run_read.signature(), {(KEEPS, "src/pool.rs:9:5", 2)})
        self.assertEqual(Run(PRINTED).signature(), self.run_read.signature())

    def test_a_body_that_did_not_return_is_a_report_without_a_line(self):
        for head in "leak: the test's body never returned", "overdue: the body had not returned after 30 s (`deadline`)":
            text = PRINTED.replace("assertion failed: early", head)
            self.assertEqual(Run(text).reports[BROKEN].tasks, {"the body": 1}, head)


class Swap(unittest.TestCase):
    def swap(self, text, settings=()):
        copy = Copy("/nowhere", "/nowhere", list(settings), [])
        return *copy._swap(Path("tests/a.rs"), text), copy.kept

    def test_the_attribute_is_swapped_with_its_arguments(self):
        for before, after in (
            ("#[tokio::test]\nasync fn a() {}", "#[leakcheck::test]\nasync fn a() {}"),
            ("#[::tokio::test]\nasync fn a() {}", "#[leakcheck::test]\nasync fn a() {}"),
            ('#[tokio::test(flavor = "multi_thread", worker_threads = 2,)]\nasync fn a() {}',
             '#[leakcheck::test(flavor = "multi_thread", worker_threads = 2)]\nasync fn a() {}'),
            ("#[cfg_attr(unix, tokio::test(start_paused = true))]\nasync fn a() {}",
             "#[cfg_attr(unix, leakcheck::test(start_paused = true))]\nasync fn a() {}"),
        ):
            self.assertEqual(self.swap(before), (after, 1, 0))

    def test_other_text_stays(self):
        for text in (
            "/// #[tokio::test]\nfn a() {}",
            "//! #[tokio::test]",
            "#[tokio::main]\nasync fn main() {}",
            "use tokio::test;",
            "#[tokio::tests]\nfn a() {}",
        ):
            self.assertEqual(self.swap(text), (text, 0, 0))

    def test_what_leakcheck_has_no_argument_for_stays_and_is_counted(self):
        text = '#[tokio::test(flavor = "local")]\nasync fn a() {}'
        self.assertEqual(self.swap(text), (text, 0, 1))

    def test_settings_add_arguments_to_the_tests_they_name(self):
        settings = [{"files": ["tests/*"], "tests": ["slow*"], "arguments": 'horizon = "31s"'},
                    {"tests": ["slow*"], "arguments": 'horizon = "2s"'}]
        text = "#[tokio::test(start_paused = true)]\nasync fn slow_one() {}\n#[tokio::test]\nasync fn other() {}"
        swapped, count, _ = self.swap(text, settings)
        self.assertEqual(count, 2)
        self.assertIn('#[leakcheck::test(start_paused = true, horizon = "31s")]\nasync fn slow_one', swapped)
        self.assertIn("#[leakcheck::test]\nasync fn other", swapped)

    def test_a_dependency_of_tests_can_be_left_out(self):
        manifest = '[dependencies]\nbig = "1"\n[dev-dependencies]\nbig = { features = [\n "a",\n] }\nsmall = "1"\n' \
            '[dev-dependencies.big]\nversion = "1"\n[features]\nbig = []\n'
        kept = '[dependencies]\nbig = "1"\n[dev-dependencies]\nsmall = "1"\n[features]\nbig = []\n'
        self.assertEqual(without_dependency(manifest, "big"), kept)

    def test_the_checkout_is_only_read_and_the_copy_follows_it(self):
        with tempfile.TemporaryDirectory() as folder:
            checkout, place = Path(folder) / "checkout", Path(folder) / "copy"
            for name, text in ("Cargo.toml", '[package]\nname = "a"\n'), ("src/lib.rs", "#[tokio::test]\nasync fn a() {}\n"):
                (checkout / name).parent.mkdir(parents=True, exist_ok=True)
                (checkout / name).write_text(text)
            for swap, expected in (False, "#[tokio::test]"), (True, "#[leakcheck::test]"):
                Copy(checkout, place, [], []).make(".", "/leakcheck", swap)
                self.assertTrue((place / "src/lib.rs").read_text().startswith(expected))
                self.assertIn('[dev-dependencies.leakcheck]\npath = "/leakcheck"', (place / "Cargo.toml").read_text())
            self.assertEqual((checkout / "src/lib.rs").read_text(), "#[tokio::test]\nasync fn a() {}\n")
            written = (place / "src/lib.rs").stat().st_mtime_ns
            Copy(checkout, place, [], []).make(".", "/leakcheck", True)
            self.assertEqual((place / "src/lib.rs").stat().st_mtime_ns, written)


class BadInput(unittest.TestCase):
    def test_each_mistake_is_answered_with_one_line(self):
        with tempfile.TemporaryDirectory() as empty:
            for arguments, says in (
                ([], "name a project"),
                (["nowhere"], "no project is called nowhere: write one of "),
                (["bb8", ".", "--rounds", "many"], "many is no whole number"),
                (["--colour"], "suites/run --help says"),
                (["bb8", empty], "is no checkout of bb8: no bb8/Cargo.toml"),
            ):
                ran = subprocess.run([HERE / "run", *arguments], capture_output=True, text=True, check=False)
                self.assertEqual((ran.returncode, ran.stdout), (2, ""))
                self.assertIn(says, ran.stderr)
                self.assertEqual(ran.stderr.count("\n"), 1)

    def test_a_table_of_projects_that_cannot_be_used_is_refused_by_name(self):
        run = SourceFileLoader("run", str(HERE / "run")).load_module()
        head = '[pool]\nrepository = "r"\ncommit = "c"\n'
        for table, says in (
            ("[pool", "cannot read projects.toml"),
            ('[pool]\nrepository = "r"\n', "pool has no `commit`: add it"),
            (head + 'flags = "x"\n', "pool has an unknown key `flags`: write one of"),
            (head + "[[pool.settings]]\narguments = 'settle = \"2s\"'\n", "lacks `arguments` or `why`"),
            (head + '[[pool.judged]]\nline = "a.rs:1"\nwhy = "w"\nverdict = "perhaps"\n', "`verdict`"),
        ):
            with tempfile.TemporaryDirectory() as folder, redirect_stderr(StringIO()) as said:
                path = Path(folder) / "projects.toml"
                path.write_text(table)
                with self.assertRaises(SystemExit):
                    run.read_projects(path)
                self.assertIn(says, said.getvalue())
                self.assertEqual(said.getvalue().count("\n"), 1)

    def test_the_table_itself_can_be_used(self):
        run = SourceFileLoader("run", str(HERE / "run")).load_module()
        self.assertGreaterEqual(len(run.read_projects(HERE / "projects.toml")), 10)


if __name__ == "__main__":
    unittest.main()
