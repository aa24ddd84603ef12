# Everything here sets up what it needs first: a virtual environment with pinned, hashed versions.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
OLDEST_SDK := $(shell sed -n 's/.*openai\[aiohttp\]>=\([0-9.]*\).*/\1/p' pyproject.toml)
# What the newest SDK lists of models, how it loads, and that it lets errors of a hook through.
ABOUT_NEWEST_SDK := tests/provider/test_retirement.py tests/provider/test_sdk.py \
	tests/simulate/test_parameters.py::test_the_table_has_the_parameters_that_the_sdk_has \
	tests/provider/test_transport.py::test_an_answer_that_cannot_be_unpacked_is_none

# All but the engines, which are hundreds of megabytes: make real has those.
EXTRAS := $(filter-out --extra=ray,$(shell sed -n '/^\[project.optional-dependencies\]/,/^\[/s/^\([a-z]*\) = .*/--extra=\1/p' pyproject.toml))

.PHONY: demo test coverage torture oldest python real recipes lint format docs bench economy lock clean help

help: ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

$(STAMP): pyproject.toml requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "llmbatch needs Python 3.11 or newer")'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q -j0 llmbatch
	@touch $@

demo: $(STAMP) ## classify the sample documents against the offline endpoint: no key, no network
	$(BIN)/llmbatch classify sample_data/docs.jsonl --offline --sample 5% --out build/demo.llmbatch

test: $(STAMP) ## all tests
	$(BIN)/pytest

coverage: $(STAMP) ## which lines and branches the tests reach; a page in build/coverage/html
	@rm -rf build/coverage && mkdir -p build/coverage
	-$(BIN)/coverage run -m pytest
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage html --quiet
	@$(BIN)/coverage report

torture: $(STAMP) ## the long proofs: a blow at every system call on a run folder (needs strace), 200 kills, 100 schedules of kills under a spending limit, links at every name, 10,000 budget schedules, 200 calls out of one process, thousands of simulated runs for each promise about figures, a thousand examples for each property
	LLMBATCH_TORTURE=1 $(BIN)/pytest tests/torture --durations=0
	LLMBATCH_SCHEDULES=10000 $(BIN)/pytest -n0 tests/spend/test_schedules.py
	LLMBATCH_TORTURE=1 $(BIN)/pytest -n0 tests/api/test_servers.py
	LLMBATCH_TORTURE=1 $(BIN)/pytest tests/promises tests/surroundings tests/engine/test_outage.py --timeout=3600
	LLMBATCH_TORTURE=1 $(BIN)/pytest -m hypothesis --ignore tests/torture --timeout=3600

oldest: ## tests against the oldest SDK that is allowed, in build/oldest
	@$(PYTHON) -m venv build/oldest
	@build/oldest/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@build/oldest/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@build/oldest/bin/pip install --quiet --disable-pip-version-check "openai[aiohttp]==$(OLDEST_SDK)"
	build/oldest/bin/pytest tests/provider tests/simulate tests/api tests/e2e/test_classify.py tests/e2e/test_faults.py \
		--ignore tests/provider/test_profile.py $(foreach file,$(ABOUT_NEWEST_SDK),--deselect $(file))

python: ## all tests on another Python, in build/python: make python PYTHON=python3.14
	@$(PYTHON) -m venv --clear build/python
	@build/python/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@build/python/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	build/python/bin/pytest

real: $(STAMP) ## optional: against llama.cpp's own server with a tiny random model, a litellm proxy, annotation tools' packages, Ray, Daft, and Spark (needs Java; installs 2 GB into .real/)
	@test -x .real/llama/bin/python || $(PYTHON) -m venv .real/llama
	@.real/llama/bin/pip install --quiet --disable-pip-version-check xllamacpp gguf numpy tokenizers
	@test -x .real/proxy/bin/python || $(PYTHON) -m venv .real/proxy
	@.real/proxy/bin/pip install --quiet --disable-pip-version-check 'litellm[proxy]'
	@test -x .real/annotation/bin/python || $(PYTHON) -m venv .real/annotation
	@.real/annotation/bin/pip install --quiet --disable-pip-version-check label-studio-sdk argilla
	@test -x .real/engines/bin/python || $(PYTHON) -m venv .real/engines
	@.real/engines/bin/pip install --quiet --disable-pip-version-check '.[ray,tables]' daft pyspark 'pandas<3'
	LLMBATCH_REAL_ENGINES=$(CURDIR)/.real/engines/bin/python \
	LLMBATCH_REAL=.real/llama/bin/python LLMBATCH_REAL_PROXY=.real/proxy/bin/python LLMBATCH_REAL_ANNOTATION=.real/annotation/bin/python $(BIN)/pytest -n0 --timeout=600 tests/real

recipes: $(STAMP) ## optional: the recipes of docs/how-to by Airflow, Prefect, dbt, gitlab-ci-local (needs npm), systemd and pre-commit (installs 900 MB into .real/)
	@for name in airflow prefect dbt pre-commit; do test -x .real/$$name/bin/python || $(PYTHON) -m venv .real/$$name || exit; done
	@.real/airflow/bin/pip install --quiet --disable-pip-version-check apache-airflow
	@.real/prefect/bin/pip install --quiet --disable-pip-version-check prefect
	@.real/dbt/bin/pip install --quiet --disable-pip-version-check 'dbt-core<1.11' 'dbt-duckdb<1.11' '.[tables]'
	@.real/pre-commit/bin/pip install --quiet --disable-pip-version-check pre-commit
	@npm install --silent --prefix .real/gitlab 'gitlab-ci-local@<4.62'
	LLMBATCH_RECIPES=.real $(BIN)/pytest -n0 --timeout=900 tests/real/test_recipes.py

lint: $(STAMP) ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP) ## put the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(STAMP) ## the documentation as a site, in build/site; a dead link fails
	$(BIN)/python -m tools.docs_site

bench: $(STAMP) ## benchmarks; results in benchmarks/RESULTS.md
	$(BIN)/python -m benchmarks

economy: $(STAMP) ## what AG News costs in other arrangements of the prompt and on each way; the tables of docs/explanation/economics.md
	$(BIN)/python -m benchmarks.economy
	$(BIN)/python -m benchmarks.ways
	$(BIN)/python -m benchmarks.packing

lock: ## pin the versions anew (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links pyproject.toml -o requirements/run.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links --group dev $(EXTRAS) pyproject.toml -o requirements/dev.txt

clean: ## remove what was made here
	rm -rf $(VENV) .real build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
