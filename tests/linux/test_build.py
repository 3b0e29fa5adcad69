"""What a user builds: the library and the preload library by their Makefile, a program with either,
the module against headers of a kernel; and the manual page, which tells of all functions.
"""

import os
import re
import shutil
import subprocess

import pytest

from sim.qemu import driver, packages

from .booted import needs_packages

LIBRARY = driver.LINUX / "lib"
PROGRAM = """\
#include <errno.h>
#include <stdio.h>
#include <siommu_direct.h>

int main(void)
{
    struct siommu *siommu = siommu_open(0);

    printf("%d\\n", siommu ? 0 : errno == ENOENT);
    return 0;
}
"""


def run(*words, **options):
    done = subprocess.run(words, capture_output=True, text=True, env={
        **os.environ, "MAKEFLAGS": "", "LC_ALL": "C", **options.pop("env", {})}, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    for tool in ("make", "gcc", "ar"):
        if not shutil.which(tool):
            pytest.skip(f"{tool} is missing")
    folder = tmp_path_factory.mktemp("library")
    run("make", "-C", str(LIBRARY), "install", f"BUILD={folder / 'build'}", "PREFIX=/usr",
        f"DESTDIR={folder / 'root'}", "CFLAGS=-O2 -Werror")
    return folder / "root" / "usr"


def functions():
    """Names of the functions of the library's header."""
    return set(re.findall(r"^[\w *]+?\b(siommu_\w+)\(", (LIBRARY / "siommu_direct.h").read_text(),
                          re.M))


def test_it_exports_what_the_header_declares(installed):
    text = run("nm", "-D", "--defined-only", str(installed / "lib" / "libsiommu.so"))
    assert set(re.findall(r" T (\w+)", text)) == functions() and len(functions()) == 11


@pytest.mark.parametrize("link", [["-lsiommu"], ["-l:libsiommu.a", "-lpthread"]])
def test_a_program_is_built_with_it(installed, tmp_path, link):
    (tmp_path / "program.c").write_text(PROGRAM)
    program = str(tmp_path / "program")
    run("gcc", "-o", program, str(tmp_path / "program.c"), f"-I{installed / 'include'}",
        f"-L{installed / 'lib'}", *link)
    if not os.path.exists("/dev/siommu"):
        assert run(program, env={"LD_LIBRARY_PATH": str(installed / "lib")}) == "1\n"


def test_a_program_runs_with_the_preload_library(installed, tmp_path):
    """Where there is no SIOMMU everything is as without."""
    (tmp_path / "file").write_text("content")
    assert run("cat", str(tmp_path / "file"), env={
        "LD_PRELOAD": str(installed / "lib" / "libsiommu_preload.so")}) == "content"


def test_the_manual_page(installed):
    page = installed / "share" / "man" / "man3" / "siommu_direct.3"
    text = page.read_text()
    declared = text.partition(".SH SYNOPSIS")[2].partition(".SH DESCRIPTION")[0]
    assert set(re.findall(r"\b(siommu_\w+)\(", declared)) == functions()
    assert functions() <= set(re.findall(r"\b(siommu_\w+)", text.partition(".SH SYNOPSIS")[0]))
    if shutil.which("groff"):
        done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", str(page)], capture_output=True,
                              text=True)
        assert done.returncode == 0 and not done.stderr, done.stderr


def test_the_module_is_built_where_its_sources_are(tmp_path):
    """By hand, as docs/linux.md says; in a copy, for kbuild leaves much."""
    needs_packages()
    found = packages.find()
    shutil.copytree(driver.LINUX, tmp_path / "linux")
    shutil.copytree(driver.HEADERS, tmp_path / "hdl" / "include")
    environment = driver.libraries(found.headers)
    run("make", "-C", str(tmp_path / "linux"), f"KERNEL={found.headers}", env=environment)
    assert (tmp_path / "linux" / "siommu.ko").exists()
    run("make", "-C", str(tmp_path / "linux"), f"KERNEL={found.headers}", "clean",
        env=environment)
    assert not list((tmp_path / "linux").glob("*.o"))
