# Every command of the project. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/installed.lock
# The newest releases that may enter the locks: one day after Airflow's, so that its providers fit it.
LOCK_DATE := 2026-09-19
LOCK := $(BIN)/uv --system-certs pip compile -q --universal --generate-hashes --python-version 3.11 --no-header \
	--exclude-newer $(LOCK_DATE) \
	--exclude-newer-package apache-airflow-providers-opsgenie=2026-10-16 \
	--exclude-newer-package apache-airflow-providers-slack=2026-10-16 \
	--exclude-newer-package open-data-contract-standard=2026-10-16

SQL := include/sql plugins/oncall/adapters/postgres sandbox/master_data

export PYTHONPATH := plugins
# Airflow is thousands of modules: without their bytecode every process start costs seconds more.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install up down status env logs drill who rota incidents test test-stack check coverage lint format bench chaos mutants \
	compose-check screenshots lock clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1\t\2/' \
		| while IFS="$$(printf '\t')" read -r name text; do printf '  make %-14s %s\n' "$$name" "$$text"; done

install: $(READY) ## create .venv with the locked packages (the other commands do this by themselves)

# What it tells goes beside the answers: `eval "$(make -s env)"` would run it.
$(READY): requirements-dev.lock
	@sandbox/install.sh $(PYTHON) $(VENV) requirements-dev.lock >&2

up: $(READY) ## start everything on this machine and say where to look; safe to run again
	@$(BIN)/python -m sandbox up

down: ## stop everything that `make up` started; the data stays
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m sandbox down; fi

status: $(READY) ## what runs, who is on call, how the three promises stand
	@$(BIN)/python -m sandbox status

env: $(READY) ## what a shell needs for the commands of the runbooks (make status tells how)
	@$(BIN)/python -m sandbox env

logs: ## follow the log of every component
	@tail -n 20 -F .run/logs/*.log

drill: $(READY) ## break a promise and watch it from page to resolution; SCENARIO=stuck|failed|not-started|held|blind
	@$(BIN)/python -m sandbox.drill $(SCENARIO)

who: $(READY) ## who is on call now
	@$(BIN)/python -m oncall who

rota: $(READY) ## the rota of the next eight weeks
	@$(BIN)/python -m oncall rota

incidents: $(READY) ## the open incidents of the running stack and how they stand
	@eval "$$($(BIN)/python -m sandbox env)" && $(BIN)/python -m oncall incidents

test: $(READY) ## in seven to thirteen minutes: every test that needs no whole stack, on a real PostgreSQL and over real HTTP
	@sandbox/test.sh quick

test-stack: $(READY) ## in six to ten more: whole stacks, a real browser, and faults in running parts
	@sandbox/test.sh stack

check: $(READY) ## in a minute: lint, types, and the quick tests of what changed since main
	@sandbox/check.sh

# To reach a line once is enough: few examples of each law, and no years of loads.
REACHED_BY := tests/core tests/config --hypothesis-profile=few --ignore-glob='*_laws.py' --ignore tests/config/test_roster_fuzz.py \
	--ignore tests/core/data/test_loads_of_many_shops.py --ignore tests/core/rota/test_assigned_weeks.py

coverage: $(READY) ## how much of the rules and of the configuration's readers their own tests run; less than 94 % is an error
	$(BIN)/coverage run -m pytest -q -n 0 $(REACHED_BY)
	$(BIN)/coverage report

lint: $(READY) ## style, formatting, layers, types, spelling, plain English, docstrings and SQL
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	PYTHONPATH=plugins:. $(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/codespell
	$(BIN)/pytest -q -p no:cacheprovider tests/test_prose.py
	$(BIN)/interrogate -q plugins
	$(BIN)/sqlfluff lint -p 0 -n --disable-progress-bar $(SQL)

format: $(READY) ## let ruff write the style it asks for
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY) ## measure what the README claims
	@$(BIN)/python -m sandbox.bench

# Each group takes about ten minutes and writes its own part of docs/FAULTS.md.
chaos: $(READY) ## break real parts, see that the page comes once; CHAOS=pipelines|people|opsgenie|slack|clocks|databases|airflow: a group
	@CHAOS=$${CHAOS:-all} $(BIN)/pytest tests/chaos -m stack -v

mutants: $(READY) ## change the rules one thing at a time and see that a test notices; OF=core/promises/evaluation.py for one
	@PYTHONPATH=plugins:. $(BIN)/python tests/mutants.py $(OF)

compose-check: $(READY) ## boot docker-compose.yaml, kill one of each, see that nothing is lost (needs docker)
	@$(BIN)/pytest tests/compose -m docker -v

screenshots: $(READY) ## photograph the On-call page: of the running stack for docs/images, in each state into .run/screenshots
	@$(BIN)/python -m sandbox.screenshots
	@ONCALL_SHOTS=.run/screenshots $(BIN)/pytest -q tests/browser/test_page_in_browser.py -k every

# Production gets the versions that the tests ran with.
lock: $(READY) ## write the lock files anew from requirements*.txt
	$(LOCK) requirements-dev.txt -o requirements-dev.lock
	$(LOCK) requirements.txt -c requirements-dev.lock -o requirements.lock

clean: down ## stop everything and delete its data (.run)
	rm -rf .run
