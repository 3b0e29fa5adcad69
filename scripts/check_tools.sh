#!/bin/sh
# Checks that the host has what a step needs. What Debian packages can mend is installed where that
# may be done without asking: by root, with apt-get. Otherwise the last line is the one to type.
#
# Usage: check_tools.sh NEED...   with NEED one of: python, compiler, libpython, e2fsprogs, riscv,
# abc, slurm; and `tools`, which are not needed: some tests are skipped without them.
# PYTHON names the interpreter to check; SIOMMU_INSTALL=no installs nothing.
set -u

need() {  # need WHAT PACKAGES...
    said="${said}siommu: $1
"
    shift
    packages="${packages:+$packages }$*"
}

wrong() {  # wrong WHAT: no package mends it
    said="${said}siommu: $1
"
    hopeless=1
}

# Sets `packages` to what is missing, `said` to sentences about it, `hopeless` to 1 if something is
# wrong that no package mends.
look() {
    packages='' said='' hopeless=0 wishes=''
    for what in "$@"; do
        case $what in
        python) look_for_python ;;
        compiler) look_for_compiler ;;
        libpython)
            # The simulation is a program of its own that embeds Python.
            if [ -z "$(.venv/bin/python -m find_libpython)" ]; then
                need "The shared library of Python 3.11 (libpython3.11.so) is missing." libpython3.11
            fi ;;
        e2fsprogs)
            # Makes and checks the ext4 images; often in /usr/sbin, which is not on every PATH.
            for tool in mke2fs debugfs e2fsck; do
                if ! PATH="$PATH:/usr/sbin:/sbin" command -v $tool >/dev/null 2>&1; then
                    need "$tool is missing." e2fsprogs
                    break
                fi
            done ;;
        riscv)
            # Compiles the firmware of `make soc`. It has no C library, and the firmware needs none.
            command -v riscv64-unknown-elf-gcc >/dev/null 2>&1 ||
                need "riscv64-unknown-elf-gcc is missing." gcc-riscv64-unknown-elf ;;
        abc)
            # Unrolls the whole core for the proofs `stranger-…`; PyPI has none.
            command -v berkeley-abc >/dev/null 2>&1 ||
                need "berkeley-abc is missing." berkeley-abc ;;
        slurm)
            # A cluster of one node, for the test of campaigns. The daemons lie in /usr/sbin.
            for tool in slurmctld:slurmctld slurmd:slurmd sbatch:slurm-client munged:munge; do
                PATH="$PATH:/usr/sbin" command -v "${tool%:*}" >/dev/null 2>&1 ||
                    need "${tool%:*} is missing." "${tool#*:}"
            done ;;
        tools)
            # Icarus reads the exported Verilog, GTKWave's converter its waves, GHDL the templates; the
            # firmware of tests/soc is for a RISC-V processor.
            for tool in iverilog:iverilog vcd2fst:gtkwave ghdl:ghdl-mcode \
                    riscv64-unknown-elf-gcc:gcc-riscv64-unknown-elf; do
                command -v "${tool%:*}" >/dev/null 2>&1 || wishes="${wishes:+$wishes }${tool#*:}"
            done ;;
        *)
            echo "check_tools.sh: unknown need '$what'" >&2
            exit 2 ;;
        esac
    done
}

look_for_python() {
    python=${PYTHON:-python3.11}
    case $python in
    python3 | python3.11 | /usr/bin/*) mend=need ;;
    *) mend=wrong ;;                    # one from elsewhere: Debian's packages are for another
    esac
    if ! command -v "$python" >/dev/null 2>&1; then
        $mend "Python 3.11 is missing (looked for $python)." python3 python3-venv
    elif ! "$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))'; then
        wrong "$python is $("$python" -V 2>&1), but Python 3.11 is needed (make PYTHON=...)."
    elif ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
        $mend "Python's venv module is missing." python3-venv
    fi
}

look_for_compiler() {
    [ "${CXX:-g++}" = g++ ] && mend=need || mend=wrong
    if ! command -v "${CXX:-g++}" >/dev/null 2>&1; then
        $mend "A C++ compiler is missing (looked for ${CXX:-g++}; set CXX to use another)." g++
    elif ! printf '#include <coroutine>\nint main(){}\n' |
            "${CXX:-g++}" -std=c++20 -x c++ - -o /dev/null >/dev/null 2>&1; then
        $mend "${CXX:-g++} cannot compile a C++20 program; set CXX to use another compiler." g++
    fi
}

may_install() {
    [ "${SIOMMU_INSTALL:-yes}" != no ] && command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]
}

install() {  # install PACKAGES...; a fresh container has no lists of packages, so they come first
    DEBIAN_FRONTEND=noninteractive
    export DEBIAN_FRONTEND
    apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@"
}

look "$@"
if [ "$wishes" ] && may_install; then
    echo "siommu: installing $wishes with apt-get (SIOMMU_INSTALL=no prevents that)" >&2
    # shellcheck disable=SC2086     # words
    install $wishes >/dev/null 2>&1 ||
        echo "siommu: apt-get could not install $wishes: the tests that need it are skipped" >&2
fi
[ "$said" ] || exit 0
if [ $hopeless = 0 ] && may_install; then
    echo "siommu: installing $packages with apt-get (SIOMMU_INSTALL=no prevents that)" >&2
    # shellcheck disable=SC2086     # words
    if log=$(install $packages 2>&1); then
        look "$@"
        [ "$said" ] || exit 0
    else
        said="${said}siommu: apt-get could not install it: $(printf '%s\n' "$log" | tail -n 1)
"
    fi
fi
printf %s "$said" >&2
[ -z "$packages" ] || echo "siommu: on Debian 12 type: sudo apt-get install $packages" >&2
exit 1
