# Everything runs in .venv, which each target makes if it is missing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help install demo up backfill test test-unit test-demo test-faults test-celery test-compose test-airflow test-wheel test-lowest test-patch test-patches test-backfill test-postgres screenshots bench bench-quick lint format constraints dist clean

help:  ## list what there is
	@grep -hE '^[a-z0-9.-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/:/' | awk -F: '{printf "  make %-16s%s\n", $$1, $$2}'

install: $(VENV)/installed  ## install everything into .venv

$(VENV)/installed: requirements.txt requirements-dev.txt constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 ..."; exit 1; }
	@echo "Installing into $(VENV), once; this takes a minute."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python -r requirements-dev.txt -c constraints.txt
	@touch $@

demo: install  ## run the DAG on a story of rows and show the trends
	@$(BIN)/python -m demo run

up: install  ## serve Airflow's UI on the demo's database, on loopback
	@$(BIN)/python -m demo up

backfill: install  ## make backfill FROM=2026-11-01 TO=2026-11-04, both included; PERIOD=weekly or monthly
	@$(BIN)/python -m demo backfill "$(FROM)" "$(TO)" "$(or $(PERIOD),daily)"

.env: .env.example  ## make the secrets that docker compose needs, once
	@umask 077; test -e $@ || while IFS= read -r line; do \
		case "$$line" in [A-Z]*=) line="$$line$$($(PYTHON) -c 'import base64, os; print(base64.urlsafe_b64encode(os.urandom(32)).decode())')";; esac; \
		printf '%s\n' "$$line"; \
	done < .env.example > $@

# several processes even on two cores: tests wait for Airflows more than they compute
test: install  ## run the tests, in several processes
	@$(BIN)/python -m pytest -m "not slow" -n 3 --no-loadscope-reorder

test-unit: install  ## run the tests that need no database, in seconds
	@$(BIN)/python -m pytest -q tests/unit

test-demo: install  ## run what make demo, make up and make backfill run, as a person does
	@$(BIN)/python -m pytest tests/test_demo.py

test-faults: install  ## processes and servers killed in the middle of a run; minutes
	@$(BIN)/python -m pytest -m slow tests/faults

test-celery: install  ## run the DAG on two Celery workers and kill one (needs redis-server)
	@$(BIN)/python -m pytest tests/test_celery.py

test-compose: install  ## run the services of docker-compose.yaml as processes (needs Debian's postgresql, podman)
	@.ci/with-postgres debian $(BIN)/python -m pytest tests/test_compose.py
# what only a PostgreSQL with ICU and extensions can show
	@.ci/with-postgres debian $(BIN)/python -m pytest -m extensions tests/test_aggregate_sql.py tests/faults

DEFAULT_AIRFLOW := $(shell sed -n 's/^apache-airflow==//p' requirements.txt)
AIRFLOW_VERSIONS := $(patsubst constraints/airflow-%.txt,%,$(wildcard constraints/airflow-*.txt))

test-airflow: install  ## run the tests of another Airflow, VERSION=3.1.8 for example, in a separate environment
	@test -f constraints/airflow-$(VERSION).txt || { echo "VERSION is one of: $(AIRFLOW_VERSIONS)"; exit 2; }
	@$(MAKE) --no-print-directory .venv-airflow-$(VERSION)/installed
	@.venv-airflow-$(VERSION)/bin/python -m pytest -m "not slow" tests/versions

test-wheel: install  ## run the DAGs from the wheel alone, VERSION=3.3.2 for example, then take it out
	@test "$(VERSION)" = "$(DEFAULT_AIRFLOW)" || test -f constraints/airflow-$(VERSION).txt \
		|| { echo "VERSION is one of: $(AIRFLOW_VERSIONS) $(DEFAULT_AIRFLOW)"; exit 2; }
	@test "$(VERSION)" = "$(DEFAULT_AIRFLOW)" || $(MAKE) --no-print-directory .venv-airflow-$(VERSION)/installed
	@.ci/with-wheel $(if $(filter $(DEFAULT_AIRFLOW),$(VERSION)),$(VENV),.venv-airflow-$(VERSION)) -m pytest tests/wheel

test-lowest: install .venv-lowest/installed  ## run the DAG once with the lowest versions of all that it needs
	@.venv-lowest/bin/python -m pytest tests/once

test-patch: install  ## run the DAG once on any patch of Airflow, VERSION=3.0.2 for example
	@.ci/test-patch $(VERSION)

test-patches: install  ## the same on every patch of Airflow from 2.11.0 on that there is; half an hour
	@.ci/test-patches

.venv-lowest/installed: constraints/lowest.txt
	@$$(.ci/python 3.12) -m venv --clear $(@D)
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(@D)/bin/python -r constraints/lowest.txt
	@touch $@

test-backfill: install .venv-airflow-2.11.2/installed  ## airflow dags backfill of 2.11 on a busy machine, interrupted, killed; minutes
	@.venv-airflow-2.11.2/bin/python -m pytest tests/versions/test_backfill_airflow2.py

.venv-airflow-%/installed: requirements-airflow.txt constraints/airflow-%.txt
	@$$(.ci/python $$(sed -n '1s/.*on Python \([0-9.]*[0-9]\).*/\1/p' constraints/airflow-$*.txt)) -m venv --clear $(@D)
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(@D)/bin/python \
		-r requirements-airflow.txt -c constraints/airflow-$*.txt
	@touch $@

test-postgres: install  ## run the tests of trends, plans, whole runs and the page's numbers on another PostgreSQL, VERSION=14 to 18
	@.ci/with-postgres "$(VERSION)" $(BIN)/python -m pytest tests/test_aggregate_sql.py tests/test_rules.py tests/test_runs.py tests/test_plans.py tests/faults/test_rows.py tests/web/test_arithmetic.py tests/web/test_page_index.py

screenshots: install  ## retake the documentation's pictures of the page (needs Chromium)
	@COMMUNICATION_TRENDS_SCREENSHOTS=docs $(BIN)/python -m pytest tests/web/test_page.py -k shared_address

bench: install .venv-bench/installed  ## what it costs, as ratios measured side by side
	@$(BIN)/python -m bench
	@.venv-bench/bin/python bench/charts.py

.venv-bench/installed: requirements-bench.txt
	@$(PYTHON) -m venv .venv-bench
	@$(BIN)/uv pip install --quiet --compile-bytecode --python .venv-bench/bin/python -r requirements-bench.txt
	@touch $@

bench-quick: install  ## the same with less data
	@$(BIN)/python -m bench --quick

lint: install  ## ruff, SQLFluff, mypy, Biome
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/sqlfluff lint --disable-progress-bar sql demo bench/sql
	$(BIN)/mypy plugins dags local demo tests bench
	$(BIN)/biome check --error-on-warnings .

format: install  ## put the code in shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/biome check --write .

constraints: install  ## renew constraints.txt from the direct pins
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --upgrade --no-header --no-annotate \
		--output-file constraints.txt requirements-dev.txt

dist: install  ## build the wheel and an archive of the three folders from the last commit, with checksums, into dist/
	@.ci/dist $(TAG)

clean:  ## stop the demo's database, remove it and the environments
	@pid=$$(head -n 1 .airflow/postgres/postmaster.pid 2>/dev/null); \
		if [ -n "$$pid" ] && grep -qaF "$(CURDIR)/.airflow/postgres" "/proc/$$pid/cmdline" 2>/dev/null; then \
			kill -INT "$$pid"; while kill -0 "$$pid" 2>/dev/null; do sleep 0.2; done; \
		fi
	@rm -rf .airflow .venv .venv-airflow-* .venv-lowest .venv-bench dist
