"""Makes a copy of a checkout whose tests are checked for leaks. The checkout itself is only read."""

import fnmatch
import os
import re
from pathlib import Path

# `#[tokio::test]`, `#[::tokio::test(…)]`, and the same inside of `cfg_attr`.
ATTRIBUTE = re.compile(r"(?P<before>#\[\s*|,\s*)(?P<path>(?:::)?tokio::test)(?P<arguments>\s*\((?P<inside>[^()]*)\))?(?=\s*[\],)])")
# Arguments that only `#[tokio::test]` has. A test with one of them stays as it is.
FOREIGN = re.compile(r'\b(?:crate|name|unhandled_panic)\s*=|flavor\s*=\s*"local"')
FUNCTION = re.compile(r"\bfn\s+(?:r#)?(\w+)")
# A checkout's own toolchain would be fetched, and the lock file is written anew for the added dependency.
LEFT_OUT = {".git", "target", "rust-toolchain", "rust-toolchain.toml", "node_modules"}


class Copy:
    """A copy of a checkout. Files that are right already stay untouched, so cargo builds only what changed."""

    def __init__(self, checkout, place, settings, without):
        self.checkout, self.place, self.settings, self.without = Path(checkout), Path(place), settings, without
        self.swapped, self.kept, self.packages = 0, 0, set()

    def make(self, folder, leakcheck, swap):
        """Copies, adds the dependency to each package in `folder` that has such a test, and swaps if asked to."""
        files = self._files()
        within = Path(folder)
        texts = {}
        for name in files:
            data = (self.checkout / name).read_bytes()
            if name.suffix == ".rs" and name.is_relative_to(within):
                text = data.decode("utf-8", "surrogateescape")
                changed, count = self._swap(name, text)
                if count:
                    self.swapped += count
                    self.packages.add(self._package_of(name))
                    data = (changed if swap else text).encode("utf-8", "surrogateescape")
            texts[name] = data
        for manifest in self.packages:
            texts[manifest] = self._manifest(texts[manifest].decode(), leakcheck).encode()
        for name, data in texts.items():
            write_if_new(self.place / name, data, (self.checkout / name).stat().st_mode)
        self._remove_others(texts)

    def _files(self):
        found = []
        for root, folders, names in os.walk(self.checkout):
            folders[:] = [name for name in folders if name not in LEFT_OUT]
            paths = (Path(root) / name for name in names if name not in LEFT_OUT)
            # A link may lead out of the checkout, or nowhere: what it leads to is copied.
            found += [path.relative_to(self.checkout) for path in paths if path.is_file()]
        return sorted(found)

    def _remove_others(self, texts):
        for root, folders, names in os.walk(self.place):
            folders[:] = [name for name in folders if name != "target"]
            for name in names:
                path = Path(root) / name
                if path.relative_to(self.place) not in texts and name != "Cargo.lock":
                    path.unlink()

    def _package_of(self, name):
        for folder in name.parents:
            manifest = folder / "Cargo.toml"
            path = self.checkout / manifest
            if path.is_file() and re.search(r"^\[package\]", path.read_text(), re.MULTILINE):
                return manifest
        raise SystemExit(f"run: {name} belongs to no package: name the package's folder in projects.toml")

    def _manifest(self, text, leakcheck):
        for dependency in self.without:
            text = without_dependency(text, dependency)
        return f'{text}\n[dev-dependencies.leakcheck]\npath = "{leakcheck}"\n'

    def _swap(self, name, text):
        """The text with the attribute swapped, and how many were."""
        count = 0

        def swapped(found):
            nonlocal count
            line = text[text.rfind("\n", 0, found.start()) + 1 : found.start()]
            inside = found["inside"] or ""
            if line.lstrip().startswith("//"):
                return found[0]
            if FOREIGN.search(inside):
                self.kept += 1
                return found[0]
            count += 1
            function = FUNCTION.search(text, found.end())
            added = self._added(name, function[1] if function else "")
            arguments = ", ".join(part for part in [inside.strip().rstrip(","), *added] if part)
            return f"{found['before']}leakcheck::test" + (f"({arguments})" if arguments else "")

        return ATTRIBUTE.sub(swapped, text), count

    def _added(self, name, test):
        """The arguments that the first setting for this test adds."""
        for setting in self.settings:
            files, tests = setting.get("files", ["*"]), setting.get("tests", ["*"])
            if matches(name.as_posix(), files) and matches(test, tests):
                return [setting["arguments"]]
        return []


def matches(text, patterns):
    return any(fnmatch.fnmatchcase(text, pattern) for pattern in patterns)


def without_dependency(manifest, name):
    """The manifest without a dependency of its tests that none of them needs, and that takes long to build."""
    kept, depth, section = [], 0, ""
    for line in manifest.splitlines(keepends=True):
        if line.startswith("[") and not depth:
            section = line.strip().strip("[]")
        begins = section.endswith("dev-dependencies") and re.match(rf"{re.escape(name)}\s*[=.]", line)
        if begins or depth:
            depth += line.count("{") + line.count("[") - line.count("}") - line.count("]")
        elif not section.endswith(f"dev-dependencies.{name}"):
            kept.append(line)
    return "".join(kept)


def write_if_new(path, data, mode):
    if path.is_file() and path.read_bytes() == data:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(mode & 0o777 | 0o200)
