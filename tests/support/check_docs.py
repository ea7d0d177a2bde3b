#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Keeps the documents true: what they name exists, what exists is named.

Generated files are current; links resolve; make targets, verbs, options,
settings and paths in code spans exist; log events, exit statuses and protected
Kafka properties are documented, all of them and no others; the compose file
and the Dockerfile agree with the build; README's commands run. Prints
'N passed, N failed'. BUILD is the build to ask (default build/release).
"""
import functools
import os
import pathlib
import re
import runpy
import subprocess
import sys

import check_readme

ROOT = check_readme.ROOT
BUILD = check_readme.BUILD
SKIPPED = {"build", ".git", ".stack", "data"}
README_LINES = 150
ADR_PARTS = ("Context", "Options", "Decision", "Consequences",
             "How we would know it was wrong")
# In pieces, so that this file does not contain them.
FORBIDDEN = ["TO" + "DO", "FIX" + "ME", "X" + "XX", "T" + "BD", "HA" + "CK",
             "not yet " + "implemented", "not " + "implemented",
             "coming " + "soon", "lorem " + "ipsum", "Ji" + "ra",
             "Conflu" + "ence", "Sla" + "ck", "Tre" + "llo", "Asa" + "na",
             "pypi" + ".org", "repo1." + "maven", "registry." + "npm",
             "docker" + ".io", "ghcr" + ".io", "quay" + ".io"]


def documents():
    for path in sorted(ROOT.rglob("*.md")):
        if not SKIPPED & set(path.relative_to(ROOT).parts):
            yield path


def units():
    return [ROOT / p / f"shopview-{p}.service" for p in ("projector",
                                                         "queryapi")]


def name_of(path):
    return str(path.relative_to(ROOT))


def read(*parts):
    return ROOT.joinpath(*parts).read_text(encoding="utf-8")


@functools.lru_cache(maxsize=None)
def ask(program, *args):
    """What a program prints; its exit status must be 0."""
    got = subprocess.run([BUILD / program / program, *args], timeout=20,
                         capture_output=True, text=True, check=True, cwd="/")
    return got.stdout


# ---- What documents say ---------------------------------------------------

FENCE = re.compile(r"^(```+)[^\n]*\n(.*?)^\1$", re.M | re.S)


def code_of(text):
    """All code of a document: fenced, indented, in spans; one per item."""
    found = [m.group(2) for m in FENCE.finditer(text)]
    rest = FENCE.sub("\n", text)
    for line in rest.splitlines():
        if line.startswith("    "):
            found.append(line.strip())
    rest = re.sub(r"^    .*$", "", rest, flags=re.M)
    found += [" ".join(span.split())
              for span in re.findall(r"`([^`]+)`", rest)]
    return found


def slug(heading):
    """The anchor GitHub gives a heading."""
    kept = re.sub(r"[^\w\- ]", "", heading.strip().lower())
    return kept.replace(" ", "-")


def anchors(text):
    return {slug(re.sub(r"[`*]", "", h)) for h in
            re.findall(r"^#+ (.*)$", FENCE.sub("", text), re.M)}


# ---- Checks: each yields one text per fault --------------------------------

def configuration_is_generated():
    want = ask("projector", "config", "--reference")
    if read("docs", "configuration.md") != want:
        yield "docs/configuration.md is not current: make docs"
    if ask("queryapi", "config", "--reference") != want:
        yield "the two programs print different references"


def mutants_are_listed():
    want = subprocess.run(
        [sys.executable, ROOT / "tests" / "mutants" / "run.py", "--markdown"],
        capture_output=True, text=True, check=True).stdout
    if want not in read("docs", "guarantees.md"):
        yield "docs/guarantees.md does not list the mutants: make docs"
    for mutant in runpy.run_path(
            str(ROOT / "tests" / "mutants" / "table.py"))["MUTANTS"]:
        if read(mutant["file"]).count(mutant["old"]) != 1:
            yield (f"tests/mutants/table.py: '{mutant['name']}' does not fit "
                   f"{mutant['file']}")


def drills_are_listed():
    want = subprocess.run(
        [sys.executable, ROOT / "tests" / "faults" / "run.py", "--markdown"],
        capture_output=True, text=True, check=True).stdout
    if want not in read("docs", "guarantees.md"):
        yield "docs/guarantees.md does not list the drills: make docs"


def links_resolve():
    for path in documents():
        text = path.read_text(encoding="utf-8")
        plain = re.sub(r"`[^`\n]*`", "", FENCE.sub("", text))
        for target in re.findall(r"\]\(([^)\s]+)\)", plain):
            if re.match(r"[a-z]+:", target):
                continue
            file, _, anchor = target.partition("#")
            to = (path.parent / file).resolve() if file else path
            if not to.exists():
                yield f"{name_of(path)}: no file {target}"
            elif anchor and to.suffix == ".md" and \
                    anchor not in anchors(to.read_text(encoding="utf-8")):
                yield f"{name_of(path)}: no heading {target}"


def make_targets_exist():
    rules = read("Makefile") + "".join(
        p.read_text(encoding="utf-8") for p in (ROOT / "projections").glob("*.mk"))
    targets = set(re.findall(r"^([a-z][a-z-]*):(?!=)", rules, re.M))
    for path in documents():
        for code in code_of(path.read_text(encoding="utf-8")):
            for line in code.splitlines():
                if not re.match(r"(\$ )?make(\s|$)", line):
                    continue
                words = re.sub(r"[&|;#<>].*", "", line).split()[1:]
                for word in words:
                    if re.fullmatch(r"[a-z][a-z-]*", word) and \
                            word not in targets:
                        yield f"{name_of(path)}: no target 'make {word}'"


def verbs_of(*command):
    """Verbs of a program, or of a group of its verbs (none: it is no group)."""
    listed = ask(*command, "--help").partition("verbs:\n")[2]
    return set(re.findall(r"^  (\w+)", listed.partition("\n\n")[0], re.M))


def verbs_and_options_exist():
    for path in documents():
        if path.name == "CHANGELOG.md":
            continue
        for code in code_of(path.read_text(encoding="utf-8")):
            for line in code.splitlines():
                yield from command_faults(name_of(path), line)
    for path in units():
        for line in path.read_text(encoding="utf-8").splitlines():
            yield from command_faults(name_of(path), line)


def command_faults(where, line):
    found = re.match(r"(?:\$ |ExecStart=)?(?:\S*/)?(projector|queryapi) +"
                     r"(-{0,2}\w[\w-]*)(.*)", line)
    if not found or " → " in line:
        return
    program, verb, rest = found.groups()
    if verb.startswith("--"):
        if verb not in ask(program, "--help"):
            yield f"{where}: {program} has no {verb}"
        return
    if verb not in verbs_of(program):
        yield f"{where}: {program} has no verb '{verb}'"
        return
    rest = re.sub(r"\s[&|#<>].*", "", rest)
    commands = [(program, verb)]
    members = verbs_of(program, verb)
    if members and rest.strip():
        names, _, rest = rest.strip().partition(" ")
        rest = " " + rest
        if not set(names.split("|")) <= members:
            yield f"{where}: {program} {verb} has no verb '{names}'"
            return
        commands = [(program, verb, name) for name in names.split("|")]
    told = "".join(ask(*command, "--help") for command in commands)
    for option in re.findall(r"(?<=\s)--?[a-z][\w-]*", rest):
        if not re.search(rf"^  {re.escape(option)}\b", told, re.M):
            yield f"{where}: {program} {verb} has no {option}"


def reference():
    """Section → keys, from the reference itself."""
    out, section = {}, None
    for line in ask("projector", "config", "--reference").splitlines():
        head = re.match(r"## (\w+)", line)
        row = re.match(r"\| `(\w+)` \|", line)
        if head:
            section = out.setdefault(head.group(1), set())
        elif row and section is not None:
            section.add(row.group(1))
    return out


def settings_exist():
    known = reference()
    variables = {f"SHOPVIEW_{s}_{k}".upper() for s, keys in known.items()
                 for k in keys}
    variables |= {v + "_FILE" for v in variables}
    variables |= {"SHOPVIEW_CONFIG", "SHOPVIEW_CACHE", "SHOPVIEW_DATA",
                  "SHOPVIEW_TEST_MONGODB"}
    # The same form, other things.
    others = events_of("projector") | events_of("queryapi") | protected()
    files = list(documents()) + [ROOT / "docker" / "compose.yml"] + units()
    for path in files:
        text = path.read_text(encoding="utf-8")
        for name in set(re.findall(r"\bSHOPVIEW_[A-Z_]+", text)) - variables:
            yield f"{name_of(path)}: no variable {name}"
        for code in code_of(text):
            for section, key in re.findall(
                    r"(?<![\w./-])(source|store|projector|queryapi|log)"
                    r"\.(\w+)(?![\w/(.])", code):
                if key in ("c", "h") or f"{section}.{key}" in others:
                    continue
                if key not in known[section]:
                    yield f"{name_of(path)}: no setting {section}.{key}"


def paths_exist():
    top = {p.name for p in ROOT.iterdir() if p.is_dir()}
    for path in documents():
        if path.name == "configuration.md":
            continue
        for code in code_of(path.read_text(encoding="utf-8")):
            for found in re.findall(r"(?<![\w./$-])([a-z.]+/[\w./-]+)", code):
                first = found.split("/")[0]
                if first == "build":
                    yield from built(path, found)
                elif first in top and first not in SKIPPED and \
                        "NAME" not in found and "wishlist" not in found and \
                        "queue" not in found and \
                        not any((at / found.rstrip(".")).exists() for at in
                                (ROOT, path.parent, path.parent / "template")):
                    yield f"{name_of(path)}: no file {found}"


def built(path, found):
    """build/VARIANT/PATH: only what this build can have made is looked for."""
    parts = pathlib.PurePath(found).parts
    if len(parts) > 2 and parts[1] not in ("bench", "logs", "integration") and \
            not BUILD.joinpath(*parts[2:]).exists():
        yield f"{name_of(path)}: the build has no {found}"


def source_files(*dirs):
    for folder in dirs:
        for path in sorted((ROOT / folder).glob("*.[ch]")):
            yield path, path.read_text(encoding="utf-8")


def decision_records_are_whole():
    folder = ROOT / "docs" / "adr"
    index = (folder / "README.md").read_text(encoding="utf-8")
    records = sorted(p for p in folder.glob("*.md") if p.name != "README.md")
    for number, path in enumerate(records, 1):
        text = path.read_text(encoding="utf-8")
        if not re.fullmatch(rf"{number:04d}-[a-z0-9-]+\.md", path.name):
            yield f"{path.name}: expected number {number:04d}"
        if not text.startswith(f"# {number:04d} "):
            yield f"{path.name}: the title does not begin with its number"
        parts = tuple(re.findall(r"^## (.*)$", text, re.M))
        if parts != ADR_PARTS:
            yield f"{path.name}: sections are {parts}"
        if f"({path.name})" not in index:
            yield f"{path.name} is not in docs/adr/README.md"
    for path, text in source_files("lib", "projector", "queryapi",
                                   "include/projector"):
        for number in re.findall(r"docs/adr/(\d{4})", text):
            if not list(folder.glob(f"{number}-*.md")):
                yield f"{name_of(path)}: no record {number}"


# ---- Documents against the sources ----------------------------------------

def table_rows(text, heading):
    """Cells of the table under a heading."""
    part = re.split(rf"^#+ {re.escape(heading)}$", text, flags=re.M)[1]
    part = re.split(r"^#+ ", part, flags=re.M)[0]
    return [[cell.strip() for cell in line.strip("|").split("|")]
            for line in part.splitlines()
            if line.startswith("|") and not line.startswith("|---")][1:]


def events_of(program):
    """Event names in a program's sources."""
    out = set()
    for _, text in source_files(program):
        for call in re.findall(
                r"\b(?:log_(?:info|warn|error|debug|line)|report_outage|"
                r'pipeline_outage)\(((?:"(?:[^"\\]|\\.)*"|[^;"])*?)\);',
                text, re.S):
            # Event names come before the format, which has a '=' or '%'.
            for literal in re.findall(r'"([^"]*)"', call):
                if re.fullmatch(r"[a-z]+(\.[a-z]+)*", literal):
                    out.add(literal)
                else:
                    break
        out |= set(re.findall(r'\{CLI_\w+, "(\w+)"\}', text))
    return out - {"done"}


def log_events_are_documented():
    told = {"projector": set(), "queryapi": set()}
    for row in table_rows(read("docs", "operations.md"), "Log events"):
        names = re.findall(r"`([a-z.]+)`", row[0])
        for program in told:
            if row[1] in (program, "both"):
                told[program].update(names)
    for program, names in told.items():
        real = events_of(program)
        for name in sorted(real - names):
            yield f"docs/operations.md: {program} logs {name}: no row"
        for name in sorted(names - real):
            yield f"docs/operations.md: {program} never logs {name}"


def said():
    """What the programs say: each literal whole, gaps where values go."""
    value = r"%[-+ #0]*[\d*]*(?:\.[\d*]+)?(?:\0|[hlzjt]*[a-zA-Z])"
    one = r'"(?:[^"\\\n]|\\.)*"'
    for _, text in source_files("projector", "lib", "queryapi"):
        text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
        for found in re.finditer(rf"{one}(?:\s*(?:PRI\w+\s*)?{one})*", text):
            whole = re.sub(r'"\s*PRI\w+\s*"', "\0", found.group(0))
            whole = re.sub(r'"\s*"', "", whole)[1:-1]
            yield re.sub(value, "\0", whole)


def quoted_messages_are_said():
    """*Words in italics* are quoted; N, M, NAME, stock.1 and … are values."""
    words = "\n".join(said())
    text = FENCE.sub("\n", read("docs", "operations.md"))
    text = re.sub(r"^    .*$|`[^`]+`", "", text, flags=re.M)
    for found in re.findall(r"(?<![*\w])\*([^*\s][^*]*?)\*(?![*\w])", text):
        phrase = " ".join(found.split())
        parts = re.split(r"…|\b[NM]\b|\bNAME\b|\bstock\.1\b", phrase)
        for part in (part.strip() for part in parts):
            if " " in phrase and part not in words:
                yield f"docs/operations.md: *{phrase}*: nobody says '{part}'"


def exit_statuses_are_documented():
    real = set(re.findall(r"CLI_[A-Z]+ = (\d+)", read("lib", "cli.h")))
    told = {row[0] for row in
            table_rows(read("docs", "operations.md"), "Exit statuses")}
    if real != told:
        yield f"docs/operations.md: exit statuses {sorted(told)}, " \
              f"real are {sorted(real)}"


def protected():
    """The librdkafka properties that users may not set."""
    code = read("projector", "source_kafka_conf.c")
    table = code.partition("} protected[] = {")[2].partition("};")[0]
    return set(re.findall(r'\{"([a-z.]+)"', table))


def protected_properties_are_documented():
    real = protected()
    told = set()
    for row in table_rows(read("docs", "operations.md"), "Kafka"):
        told.update(re.findall(r"`([a-z.]+)`", row[0]))
    for name in sorted(real ^ told):
        yield f"docs/operations.md: Kafka property {name}: " + \
            ("no row" if name in real else "is not refused")


def compose_settings_load():
    """The environment of both services is one that the programs accept."""
    text = read("docker", "compose.yml")
    try:
        import yaml
        services = yaml.safe_load(text)["services"]
    except ImportError:
        services = None
    for program in ("projector", "queryapi"):
        if services:
            pairs = services[program]["environment"]
        else:
            part = re.split(rf"^  {program}:$", text, flags=re.M)[1]
            part = re.split(r"^  \w+:$", part, flags=re.M)[0]
            pairs = dict(re.findall(r'^ +(SHOPVIEW_\w+): "(.*)"$', part, re.M))
        env = {n: v for n, v in os.environ.items()
               if not n.startswith("SHOPVIEW_")}
        got = subprocess.run([BUILD / program / program, "config", "-c",
                              "/dev/null"], env={**env, **pairs}, timeout=20,
                             capture_output=True, text=True, check=False)
        if got.returncode != 0 or not pairs:
            yield f"docker/compose.yml: {program}: {got.stderr.strip()}"
    for topic in re.search(r"for topic in (.*?); do", text).group(1).split():
        if not (ROOT / "tests" / "sample" / "events" / topic).is_dir():
            yield f"docker/compose.yml: no topic {topic}"


def dockerfile_agrees_with_the_build():
    text = read("docker", "Dockerfile")
    build, _, image = text.partition("FROM debian:12-slim")
    build_deps = re.search(r"^BUILD='(.*?)'", read("tests/support/deps.sh"),
                           re.M | re.S).group(1)
    for line in build_deps.splitlines():
        package = line.split(":")[0]
        if (package.startswith("lib") or package in ("gcc", "pkg-config")) \
                and not re.search(rf"\s{re.escape(package)}\s", build):
            yield f"docker/Dockerfile does not build with {package}"
    for line in re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.M):
        for source in line.split():
            if not (ROOT / source).exists():
                yield f"docker/Dockerfile copies {source}: not there"
            if f"!{source}\n" not in read("docker", "Dockerfile.dockerignore"):
                yield f"docker/Dockerfile.dockerignore leaves {source} out"
    for program in ("projector", "queryapi"):
        for package in libraries_of(BUILD / program / program):
            if not re.search(rf"\s{re.escape(package)}\s", image):
                yield f"docker/Dockerfile: {program} needs {package}"


def libraries_of(program):
    """Debian packages of what a program is linked to; none elsewhere."""
    try:
        wanted = subprocess.run(["readelf", "-d", program], check=True,
                                capture_output=True, text=True).stdout
        cache = subprocess.run(["/sbin/ldconfig", "-p"], check=True,
                               capture_output=True, text=True).stdout
        for name in re.findall(r"\(NEEDED\).*\[(.*)\]", wanted):
            found = re.search(rf"^\s*{re.escape(name)} .*=> (\S+)$", cache,
                              re.M)
            if not found or name.startswith(("libasan", "libubsan")):
                continue
            # /lib is a link to /usr/lib; packages know one of the two.
            for file in (found.group(1), os.path.realpath(found.group(1))):
                owner = subprocess.run(["dpkg", "-S", file], text=True,
                                       capture_output=True, check=False)
                if owner.returncode == 0:
                    package = owner.stdout.split(":")[0]
                    if package not in ("libc6", "libgcc-s1"):
                        yield package
                    break
    except FileNotFoundError:
        return


def words_are_allowed():
    files = list(documents()) + sorted((ROOT / "docker").iterdir())
    for path in files:
        text = path.read_text(encoding="utf-8")
        for word in FORBIDDEN:
            if re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text):
                yield f"{name_of(path)}: says '{word}'"


def readme_is_short():
    lines = read("README.md").count("\n")
    if lines > README_LINES:
        yield f"README.md has {lines} lines, at most {README_LINES} are read"


def changelog_knows_the_version():
    version = read("VERSION").strip()
    if not re.search(rf"^## \[{re.escape(version)}\] - ", read("CHANGELOG.md"),
                     re.M):
        yield f"CHANGELOG.md has no section for {version}"


def licence_is_whole():
    text = read("LICENSE")
    if "Apache License" not in text or "END OF TERMS" not in text:
        yield "LICENSE is not the whole Apache License 2.0"


CHECKS = (configuration_is_generated, mutants_are_listed,
          drills_are_listed, links_resolve, make_targets_exist,
          verbs_and_options_exist, settings_exist, paths_exist,
          decision_records_are_whole, log_events_are_documented,
          quoted_messages_are_said, exit_statuses_are_documented,
          protected_properties_are_documented,
          compose_settings_load, dockerfile_agrees_with_the_build,
          words_are_allowed, readme_is_short, changelog_knows_the_version,
          licence_is_whole)


def main():
    passed = failed = 0
    for check in CHECKS:
        faults = list(check())
        passed += not faults
        failed += bool(faults)
        for fault in faults:
            print(f"{check.__name__}: {fault}")
    good, bad = check_readme.check("embedded")
    print(f"{passed + good} passed, {failed + bad} failed")
    return 1 if failed + bad else 0


if __name__ == "__main__":
    sys.exit(main())
