"""Makes and runs a C program that says what the header makes of literal numbers.

The program only computes; what it prints is compared in Python, with the same literals that pin
down Python's view. It is written so that it is C11 and C++11 alike.
"""

import os
import shutil
import subprocess
from pathlib import Path

from scripts.generate.formats import named, snake

__all__ = ["COMPILERS", "run"]

INCLUDE = Path(__file__).resolve().parents[2] / "hdl/include"

#: Language to compiler (the environment's CC and CXX first) and options.
COMPILERS = {
    "c": ((os.environ.get("CC"), "cc", "gcc", "clang"), ["-std=c11"]),
    "c++": ((os.environ.get("CXX"), "g++", "c++", "clang++"), ["-x", "c++", "-std=c++11"]),
}
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wsign-conversion", "-Wshadow",
            "-Werror"]

_FRAME = """\
#include "siommu.h"
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

static void number(const char *name, uint64_t value)
{
\tprintf("%s\\t0x%" PRIx64 "\\n", name, value);
}

static void text(const char *name, const char *value)
{
\tprintf("%s\\t%s\\n", name, value);
}

int main(void)
{
"""


def vector(index, struct, value, fields):
    """Statements that encode ``fields`` and decode ``value``."""
    name = f"siommu_{snake(struct.__name__)}"
    lines = ["{", f"static struct {name}_fields encoded;", f"struct {name}_fields decoded;"]
    for member in named(struct):
        if member.name in fields:
            content = fields[member.name]
            literal = ("false", "true")[content] if member.width == 1 else f"UINT64_C({content:#x})"
            if member.width in range(2, 33):
                literal = f"{content:#x}u"
            lines.append(f"encoded.{member.name} = {literal};")
    lines += [f'number("{index} encoded", {name}_encode(encoded));',
              f"decoded = {name}_decode(UINT64_C({value:#x}));"]
    lines += [f'number("{index} {member.name}", decoded.{member.name});'
              for member in named(struct)]
    return "\n\t".join(lines) + "\n\t}"


def run(folder, language, statements):
    """Compiles and runs a program of ``statements``; returns what it printed, by name.

    Raises
    ------
    AssertionError
        There is no compiler, it complains, or the program fails.
    """
    names, options = COMPILERS[language]
    compiler = next((name for name in names if name and shutil.which(name)), None)
    assert compiler, f"no {language} compiler found (set CC or CXX)"
    source, program = folder / "program.c", folder / "program"
    source.write_text(_FRAME + "".join(f"\t{line}\n" for line in statements) + "\treturn 0;\n}\n")
    done = subprocess.run([compiler, *options, *WARNINGS, f"-I{INCLUDE}", str(source), "-o",
                           str(program)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    done = subprocess.run([str(program)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return dict(line.split("\t") for line in done.stdout.splitlines())
