#!/bin/sh
# Every test that needs no docker. Finds a Chromium for the browser tests and a PgBouncer, or says loudly what was left out.
set -eu
pytest=.venv/bin/pytest

install() {
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "no $1 here: installing it with apt-get"
        { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$1"; } >/dev/null 2>&1 || true
    fi
}

if [ -z "${ONCALL_CHROMIUM+set}" ]; then
    ONCALL_CHROMIUM=$(.venv/bin/python -m sandbox.chromium)
    if [ -z "$ONCALL_CHROMIUM" ]; then
        install chromium
        ONCALL_CHROMIUM=$(.venv/bin/python -m sandbox.chromium)
    fi
    export ONCALL_CHROMIUM
fi
if ! PATH="$PATH:/usr/sbin:/usr/local/sbin" command -v pgbouncer >/dev/null; then # without it the tests behind a pooler are skipped, and say so
    install pgbouncer
fi

# First what shares nothing, side by side (much of it waits: twice as many as there are processors); then what starts
# stacks and browsers: the faults (tests/chaos) on a stack of their own, beside them all others one after the other.
workers=$(.venv/bin/python -c "import os; print(2 * (os.cpu_count() or 1))")
"$pytest" -q -n "$workers" --dist loadfile --no-loadscope-reorder --durations 10 -m "not stack and not browser and not docker" "$@"

wanted="(stack or browser) and not docker"
[ -n "$ONCALL_CHROMIUM" ] || wanted="stack and not browser and not docker"
[ $# -gt 0 ] || set -- $(grep -rlE 'mark\.(stack|browser)' tests --include='test_*.py') # to read all tests again takes half a minute
"$pytest" -v -n 2 --dist loadgroup --durations 15 -m "$wanted" "$@"
if [ -z "$ONCALL_CHROMIUM" ]; then
    cat >&2 <<'TEXT'

!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!
!!  THE BROWSER TESTS WERE LEFT OUT: there is no Chromium on this machine.             !!
!!  Install it (Debian: apt-get install chromium) or name one: ONCALL_CHROMIUM=/path   !!
!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!
TEXT
fi
