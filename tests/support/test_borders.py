#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""check_layers.sh and check_abi.sh find what they are there to find.

Each test breaks one rule in a small tree of its own.

    [BUILD=build/release] python3 tests/support/test_borders.py [-v] [Class[.test]]
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILD = ROOT / os.environ.get("BUILD", "build/release")

CLEAN = {
    "include/projector/event.h": "#include <stdint.h>\n",
    "include/projector/document.h": "#include <projector/event.h>\n",
    "lib/buf.c": '#include <zlib.h>\n#include "lib/buf.h"\n',
    "projector/decode.c": '#include "projector/decode_format.h"\n',
    "projector/decode_json.c": '#include "projector/decode.h"\n',
    "projector/fold.c": '#include "projector/doc.h"\n#include "lib/buf.h"\n',
    "projector/batch.h": '#include "projector/offsets.h"\n',
    "projector/core.c": '#include "projector/batch.h"\n#include "projector/fold.h"\n',
    "projector/verb_run.c": '#include "projector/source.h"\n',
    "queryapi/main.c": '#include "queryapi/server.h"\n#include "lib/buf.h"\n',
    "projections/a/a.c": '#include <projector/event.h>\n#include <string.h>\n#include "own.h"\n',
    "projections/a/own.h": "#include <stdint.h>\n",
}


class Tree(unittest.TestCase):
    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.root)

    def run_script(self, name, *args):
        done = subprocess.run(["sh", HERE / name, *map(str, args)], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.returncode, done.stdout


class Layers(Tree):
    def setUp(self):
        super().setUp()
        for name, text in CLEAN.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def test_a_clean_tree_passes(self):
        status, said = self.run_script("check_layers.sh", self.root)
        self.assertEqual((status, said), (0, f"{len(CLEAN)} passed, 0 failed\n"))

    def test_each_breach_is_named(self):
        for file, include in [
            ("projections/a/a.c", '"lib/buf.h"'),
            ("projections/a/a.c", '"projector/doc.h"'),
            ("projections/a/a.c", '"../b/b.h"'),
            ("projections/a/a.c", "<unistd.h>"),
            ("projections/a/a.c", "<time.h>"),
            ("projections/a/a.c", "<jansson.h>"),
            ("include/projector/event.h", "<bson/bson.h>"),
            ("include/projector/event.h", '"lib/buf.h"'),
            ("lib/buf.c", '"projector/doc.h"'),
            ("lib/buf.c", '"queryapi/server.h"'),
            ("projector/core.c", '"queryapi/server.h"'),
            ("queryapi/main.c", '"projector/doc.h"'),
            ("queryapi/main.c", '"projections/a/own.h"'),
            ("projector/fold.c", '"projector/batch.h"'),
            ("projector/fold.c", '"projector/decode.h"'),
            ("projector/decode_json.c", '"projector/router.h"'),
            ("projector/batch.h", '"projector/writer.h"'),
            ("projector/verb_run.c", '"projector/fold.h"'),
            ("projector/verb_run.c", ' "projector/batch.h"'),
        ]:
            with self.subTest(file=file, include=include):
                path = self.root / file
                kept = path.read_text()
                path.write_text(f"{kept}#  include {include}\n")
                status, said = self.run_script("check_layers.sh", self.root)
                path.write_text(kept)
                self.assertEqual(status, 1, said)
                line = kept.count("\n") + 1
                self.assertTrue(said.startswith(f"{file}:{line}: "), said)
                self.assertIn(f"{len(CLEAN) - 1} passed, 1 failed", said)


class Abi(Tree):
    """On copies of the headers, with what the build made of the real ones."""

    def setUp(self):
        super().setUp()
        if not (BUILD / "projector/projector").exists():
            self.fail(f"no build in {BUILD}")
        shutil.copytree(ROOT / "include", self.root / "include")
        self.syms = self.root / "include/projector/abi.syms"

    def check(self, build=BUILD):
        return self.run_script("check_abi.sh", build, self.root)

    def test_the_build_agrees_with_the_list(self):
        status, said = self.check()
        self.assertEqual(status, 0, said)

    def test_a_symbol_that_is_listed_and_not_there_is_found_twice(self):
        text = self.syms.read_text()
        self.syms.write_text(text.replace("\tpj_add;", "\tpj_aaa;\n\tpj_add;"))
        status, said = self.check()
        self.assertEqual(status, 1)
        self.assertIn("not exported by the projector: pj_aaa", said)
        self.assertIn("not declared in include/projector: pj_aaa", said)

    def test_a_symbol_that_is_there_and_not_listed_is_found(self):
        text = self.syms.read_text()
        self.syms.write_text(text.replace("\tpj_add;\n", ""))
        status, said = self.check()
        self.assertEqual(status, 1)
        self.assertIn("exported by the projector, not in abi.syms: pj_add", said)
        self.assertIn("declared in include/projector, not in abi.syms: pj_add", said)
        self.assertIn("sales.so imports pj_add", said)

    def test_a_name_twice_is_found(self):
        text = self.syms.read_text()
        self.syms.write_text(text.replace("\tpj_add;", "\tpj_add;\n\tpj_add;"))
        status, said = self.check()
        self.assertEqual(status, 1)
        self.assertIn("abi.syms: expected names in order, each once", said)

    def test_a_declaration_that_is_not_listed_is_found(self):
        header = self.root / "include/projector/event.h"
        text = header.read_text()
        header.write_text(text.replace(
            "const char *\npj_event_type_name(",
            "int\npj_more(int a);\nconst char *\npj_event_type_name("))
        status, said = self.check()
        self.assertEqual(status, 1)
        self.assertIn("declared in include/projector, not in abi.syms: pj_more", said)

    def test_a_module_that_imports_something_else_is_found(self):
        build = self.root / "build"
        (build / "projector").mkdir(parents=True)
        (build / "projections").mkdir()
        (build / "projector/projector").symlink_to(BUILD / "projector/projector")
        source = self.root / "bad.c"
        source.write_text("int json_loads(void);\nint f(void);\n"
                          "int f(void) { return json_loads(); }\n")
        subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-o",
                        build / "projections/bad.so", source], check=True)
        status, said = self.check(build)
        self.assertEqual(status, 1)
        self.assertIn("bad.so imports json_loads", said)


if __name__ == "__main__":
    result = unittest.main(exit=False).result
    wrong = result.failures + result.errors
    # A test that fails in several subtests is one.
    failed = len({getattr(test, "test_case", test).id() for test, _ in wrong})
    print(f"{result.testsRun - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)
