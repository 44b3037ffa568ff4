#!/bin/sh
# Under a minute, while one works: style, layers, spelling, types, and the quick tests of what changed.
#   sandbox/check.sh [BASE]   what is compared with: by default main, or the commit before on main itself
set -eu
bin=.venv/bin
base=${1:-$(git merge-base HEAD main 2>/dev/null || git rev-parse HEAD~1)}
[ "$base" != "$(git rev-parse HEAD)" ] || base=$(git rev-parse HEAD~1)

"$bin/ruff" check -q .
"$bin/ruff" format -q --check .
PYTHONPATH=plugins:. "$bin/lint-imports" >/dev/null || PYTHONPATH=plugins:. "$bin/lint-imports"
"$bin/codespell"
"$bin/interrogate" -q plugins
"$bin/mypy" --no-error-summary

# A module's tests are those that are called after it, wherever they are, and those that changed themselves.
changed=$({ git diff --name-only --diff-filter=d "$base"; git ls-files --others --exclude-standard; } | sort -u)
tests=$(
    for path in $changed; do
        name=$(basename "$path")
        case $path in
        tests/*test_*.py) echo "$path" ;;
        *.py) find tests -name "test_${name%.py}*.py" ;;
        include/*) echo tests/config/test_shipped_include.py ;;
        esac
    done | sort -u
)
if [ -z "$tests" ]; then
    echo "no test is called after what changed since $(git log -1 --format='%h %s' "$base")"
else
    # shellcheck disable=SC2086 # one word is one file
    "$bin/pytest" -q -n logical --dist loadfile --no-loadscope-reorder -m "not stack and not browser and not docker" $tests
fi
