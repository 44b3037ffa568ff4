#!/bin/sh
# The tests that need no docker: `quick` what shares nothing, `stack` what starts whole stacks and browsers; further words
# are pytest's. Finds a PgBouncer and a Chromium, or says loudly what was left out.
set -eu
pytest=.venv/bin/pytest
part=$1
shift

install() {
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "no $1 here: installing it with apt-get"
        { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$1"; } >/dev/null 2>&1 || true
    fi
}

if [ "$part" = quick ]; then # side by side, and much of it waits: twice as many as there are processors
    # Without a PgBouncer the tests behind a pooler are skipped, and say so.
    PATH="$PATH:/usr/sbin:/usr/local/sbin" command -v pgbouncer >/dev/null || install pgbouncer
    workers=$(.venv/bin/python -c "import os; print(2 * (os.cpu_count() or 1))")
    exec "$pytest" -q -n "$workers" --dist loadfile --no-loadscope-reorder --durations 10 \
        -m "not stack and not browser and not docker" "$@"
fi

if [ -z "${ONCALL_CHROMIUM+set}" ]; then
    ONCALL_CHROMIUM=$(.venv/bin/python -m sandbox.chromium)
    if [ -z "$ONCALL_CHROMIUM" ]; then
        install chromium
        ONCALL_CHROMIUM=$(.venv/bin/python -m sandbox.chromium)
    fi
    export ONCALL_CHROMIUM
fi

# The faults (tests/chaos) on a stack of their own, beside them all others one after the other.
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
