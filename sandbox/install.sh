#!/bin/sh
# Builds .venv from the lock: knows Python and the package index, nothing of the project. Run by make.
#   sandbox/install.sh PYTHON VENV LOCK
set -eu
python=$1 venv=$2 lock=$3
uv_version=0.11.0
began=$(date +%s)

say() { printf '  %3ss  %s\n' "$(($(date +%s) - began))" "$*"; }
stop() { printf '\n%s\n' "$*" >&2; exit 1; }

command -v "$python" >/dev/null 2>&1 ||
    stop "There is no '$python' here. Install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3 up"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    stop "'$python' is $("$python" -V 2>&1); this project needs 3.11 or newer. Name another one: make PYTHON=python3.12 up"
"$python" -c 'import ensurepip, venv' 2>/dev/null ||
    stop "This Python cannot make virtual environments. On Debian and Ubuntu: sudo apt-get install -y $(
        "$python" -c 'import sys; print("python{}.{}-venv".format(*sys.version_info))'
    )   (then run the same command again)"

if ! [ -x "$venv/bin/python" ] || ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    say "virtual environment ($("$python" -V))"
    "$python" -m venv --clear "$venv"
fi
say "packages of $lock"
# uv is ten times faster than pip; --system-certs: trust what this machine trusts (company proxies).
if "$venv/bin/python" -m pip install -q --disable-pip-version-check "uv==$uv_version" &&
    "$venv/bin/uv" --system-certs pip sync -q --require-hashes --python "$venv/bin/python" "$lock"; then
    :
else
    say "uv could not do it; the same with pip (some minutes)"
    "$venv/bin/python" -m pip install -q --disable-pip-version-check --no-deps --require-hashes -r "$lock"
fi
cp "$lock" "$venv/installed.lock"
say "installed"
