"""Reads what `cargo test` printed: outcomes, times, and leakcheck's reports."""

import fnmatch
import re
from collections import Counter, defaultdict

RUNNING = re.compile(r"^\s*Running (?:unittests )?(\S+) \(\S*?([\w-]+?)-[0-9a-f]{16}(?:\.exe)?\)")
TEST = re.compile(r"\btest (\S+)(?: - should panic)? \.\.\. (ok|FAILED|ignored)")
SECTION = re.compile(r"^---- (\S+) stdout ----$")
RESULT = re.compile(r"^test result: .*finished in ([\d.]+)s")
HEAD = re.compile(r"(?:^|: |, )((?:leak|overdue): .*)$")
# Not the notes on tasks that panicked, which begin the same.
GROUP = re.compile(r"^  (\d+) tasks? spawned at ((?:(?! panicked at ).)+?:\d+:\d+): (.*)$")
BLOCKING = re.compile(r"^  (\d+) blocking threads? still")
WAITED = re.compile(r"^  (waited .*?)(?:: `|$)")
AGE = re.compile(r"(?:; |, )?(?:under 1 s old|oldest \d+ s)")
REGISTRY = re.compile(r"^.*[/\\]registry[/\\]src[/\\][^/\\]+[/\\]")


class Report:
    """What one test left: the head line, and tasks by spawn line with their states."""

    def __init__(self, lines):
        self.head, self.lines, self.tasks = lines[0], lines, Counter()
        self.states = defaultdict(set)
        self.waited = next((waited[1] for line in lines if (waited := WAITED.match(line))), "")
        # What is alive beside a body that has not ended is not left.
        for line in lines[1:] if self.head.startswith("leak: ") else ():
            if group := GROUP.match(line):
                place = short(group[2])
                self.tasks[place] += int(group[1])
                self.states[place].add(re.sub(r"\b\d+ ", "", AGE.sub("", group[3])).strip())
            elif blocking := BLOCKING.match(line):
                self.tasks["blocking closures"] += int(blocking[1])
                self.states["blocking closures"].add("busy")
        if not self.tasks:
            self.tasks["the body"] = 1
            self.states["the body"].add("did not return")


class Run:
    """One run of a suite. A test is known by its target and its name."""

    def __init__(self, text):
        self.outcomes, self.reports, self.said = {}, {}, {}
        self.seconds, self.finished = 0.0, 0
        target, section = "", None
        for line in text.splitlines():
            if running := RUNNING.match(line):
                target, section = self._target(running), None
            elif result := RESULT.match(line):
                self.seconds += float(result[1])
                self.finished, section = self.finished + 1, None
            elif start := SECTION.match(line):
                section = (target, start[1])
                self.said[section] = []
            elif line in ("successes:", "failures:"):
                section = None
            elif section:
                self.said[section].append(line)
            for test in TEST.finditer(line) if not section else ():
                self.outcomes[target, test[1]] = test[2]
        for test, lines in self.said.items():
            if found := report(lines):
                self.reports[test] = found

    @staticmethod
    def _target(running):
        path, name = running[1], running[2]
        return f"{name} {path}" if path.startswith("src") else path

    def count(self, outcome):
        return sum(found == outcome for found in self.outcomes.values())

    def by_line(self):
        """For each spawn line: the tests, the number of tasks, the states, and how long the verdict waited, and for what."""
        lines = {}
        for test, found in sorted(self.reports.items()):
            for place, tasks in found.tasks.items():
                entry = lines.setdefault(place, {"tests": [], "tasks": 0, "states": set(), "waited": set()})
                entry["tests"].append(" ".join(test))
                entry["tasks"] += tasks
                entry["states"] |= found.states[place]
                entry["waited"] |= {found.waited} - {""}
        return dict(sorted(lines.items(), key=lambda item: (-len(item[1]["tests"]), item[0])))

    def signature(self):
        """What has to be the same in each round: which test leaves how many tasks of which line."""
        return {(test, place, tasks) for test, found in self.reports.items() for place, tasks in found.tasks.items()}

    def changed_otherwise(self, before):
        """Tests whose outcome changed although nothing was left, each with what it said."""
        for test, outcome in sorted(self.outcomes.items()):
            was = before.outcomes.get(test, "missing")
            if outcome != was and test not in self.reports:
                yield test, was, outcome, first_panic(self.said.get(test, []))
        for test in sorted(before.outcomes.keys() - self.outcomes.keys()):
            yield test, before.outcomes[test], "missing", ""


def verdict(project, place):
    """What was judged of this line in projects.toml, and why."""
    for judged in project.get("judged", []):
        if any(fnmatch.fnmatchcase(place, f"*{judged['line']}{end}") for end in ("", ":*")):
            return judged["verdict"], judged["why"]
    return "not judged", "Read the project's code, and add a judgement to projects.toml."


def report(lines):
    """The report among the lines of one test, or none."""
    for number, line in enumerate(lines):
        if head := HEAD.search(line):
            rest = lines[number + 1 :]
            end = next((at for at, later in enumerate(rest) if not later.startswith("  ")), len(rest))
            return Report([head[1], *rest[:end]])
    return None


def first_panic(lines):
    for number, line in enumerate(lines):
        if " panicked at " in line:
            return " ".join(lines[number + 1 : number + 2]).strip()
    return next((line for line in lines if line.startswith("Error")), "")


def short(place):
    """A spawn line without the folder of cargo's registry."""
    return REGISTRY.sub("", place)
