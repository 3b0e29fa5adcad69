#!/bin/sh
# Checks that the host has what a step needs, and says plainly what to install when it has not.
#
# Usage: check_tools.sh NEED...   with NEED one of: python, compiler, libpython, e2fsprogs
# `python` prints nothing but sets the exit status; PYTHON names the interpreter to check.
set -u
missing=0

need() {  # need WHAT PACKAGES
    printf 'siommu: %s\n        On Debian 12: sudo apt-get install %s\n' "$1" "$2" >&2
    missing=1
}

for what in "$@"; do
    case $what in
    python)
        if ! command -v "${PYTHON:-python3.11}" >/dev/null 2>&1; then
            need "Python 3.11 is missing." "python3 python3-venv"
        elif ! "$PYTHON" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))'; then
            need "$PYTHON is $("$PYTHON" -V 2>&1), but Python 3.11 is needed (make PYTHON=...)." \
                 "python3 python3-venv"
        elif ! "$PYTHON" -c 'import ensurepip, venv' >/dev/null 2>&1; then
            need "Python's venv module is missing." "python3-venv"
        fi ;;
    compiler)
        if ! command -v "${CXX:-g++}" >/dev/null 2>&1; then
            need "A C++ compiler is missing (looked for ${CXX:-g++}; set CXX to use another)." g++
        elif ! printf '#include <coroutine>\nint main(){}\n' |
                "${CXX:-g++}" -std=c++20 -x c++ - -o /dev/null >/dev/null 2>&1; then
            need "${CXX:-g++} cannot compile a C++20 program." g++
        fi ;;
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
    *)
        echo "check_tools.sh: unknown need '$what'" >&2
        exit 2 ;;
    esac
done
exit $missing
