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

# What shares nothing runs side by side (much of it waits: one more than there are processors), and gives way to what
# starts stacks and browsers and waits most of its time: the faults (tests/chaos) on a stack of their own, beside them all others.
quick() {
    mkdir -p .run
    workers=$(.venv/bin/python -c "import os; print(1 + (os.cpu_count() or 1))")
    nice -n 10 "$pytest" -q -n "$workers" --dist loadfile --durations 10 -m "not stack and not browser and not docker" >.run/quick-tests.log 2>&1 || failed=$?
    cat .run/quick-tests.log
    return "${failed:-0}"
}

stacks() {
    wanted="(stack or browser) and not docker"
    [ -n "$ONCALL_CHROMIUM" ] || wanted="stack and not browser and not docker"
    # shellcheck disable=SC2046
    "$pytest" -v -n 2 --dist loadgroup --durations 15 -m "$wanted" $(grep -rlE 'mark\.(stack|browser)' tests --include='test_*.py')
}

if [ $# -gt 0 ]; then
    "$1"
    exit
fi

echo "two lots of tests, side by side; what the quick ones say stands in .run/quick-tests.log, and here at their end"
printf '%s\n' quick stacks | xargs -P 2 -n 1 "$0"

if [ -z "$ONCALL_CHROMIUM" ]; then
    cat >&2 <<'TEXT'

!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!
!!  THE BROWSER TESTS WERE LEFT OUT: there is no Chromium on this machine.             !!
!!  Install it (Debian: apt-get install chromium) or name one: ONCALL_CHROMIUM=/path   !!
!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!
TEXT
fi
