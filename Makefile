# SPDX-License-Identifier: GPL-3.0-or-later
# One command per need. `make help` lists them.

PYTHON ?= python3
NEWEST := $(shell sh tests/tools/newer_python.sh)
BIN := .venv/bin
LAB := $(BIN)/python -m tests.lab

export PATH := $(CURDIR)/.venv/bin:$(PATH)
# Compiled once, libraries and all, and nothing of it beside the sources.
export PYTHONPYCACHEPREFIX := $(CURDIR)/build/bytecode
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo test lint sanity sanity-newest unit unit-newest go-test apiserver-test older-release machine-test cluster-test molecule soak bench \
	lab lab-down collection lock clean
.DEFAULT_GOAL := help

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: setup  ## Three machines, a Kubernetes cluster on them, a blog and a database: from nothing, with one command
	@$(BIN)/python -m tests.lab.demo

test: setup  ## Everything that CI runs, with a summary at the end
	@$(BIN)/python tests/tools/suite.py

setup:  ## Debian packages and .venv; done in no time when nothing is missing
	@sh tests/tools/system_packages.sh
	@sh tests/tools/setup.sh $(PYTHON) .venv

lint: setup  ## Style, types, documentation, shell and YAML
	ruff check .
	ruff format --check .
	mypy plugins/module_utils plugins/plugin_utils tests/lab tests/tools
	MYPYPATH=roles/backup/files mypy roles/backup/files
	yamllint --strict .
	shellcheck tests/tools/*.sh .ci/run
	ansible-lint --profile production --offline -q
	antsibull-docs lint-collection-docs --plugin-docs --validate-collection-refs self .
	antsibull-changelog lint

sanity: setup  ## ansible-test sanity with the environment's ansible-core
	$(BIN)/python tests/tools/sanity.py

sanity-newest: setup  # pylint has seen the same code in make sanity
	sh tests/tools/setup.sh $(NEWEST) .venv-newest
	.venv-newest/bin/python tests/tools/sanity.py --skip-test pylint

unit: setup  ## Unit tests, no root, no lab; WITHOUT=… leaves directories of them out
	$(BIN)/python -m pytest -q -n auto tests/unit $(addprefix --ignore=,$(WITHOUT))

unit-newest: setup  # all that ansible-core takes part in; the core knows nothing of it
	sh tests/tools/setup.sh $(NEWEST) .venv-newest
	.venv-newest/bin/python -m pytest -q -n auto $(addprefix tests/unit/,playbooks roles plugins/filter plugins/lookup plugins/modules plugins/plugin_utils)

go-test: setup  ## Unit tests of the double of k3s
	$(LAB) build --test

apiserver-test: setup  ## Packages against a real API server with simulated nodes: no root
	$(BIN)/python -m pytest -q --durations=15 tests/apiserver

older-release: setup  ## Build the version of k3s that the lab's cluster is upgraded from, unless the cache has it
	$(LAB) build --only k3s-v1.35.4+k3s1

machine-test: setup  ## Cards, boot files, operating systems and a lost server, on one or two booted machines at a time: root
	$(BIN)/python -m pytest -q --durations=15 $(addprefix tests/e2e/test_,images.py arm64.py boot_config.py first_boot.py provision.py sqlite_backup.py)

cluster-test: setup  ## The lab, and the life of a cluster on its three machines, from its first install to its end: root
	$(BIN)/python -m pytest -q --durations=30 $(addprefix tests/e2e/test_,lab.py first_install.py lifecycle_upgrade.py demo.py installed.py secrets.py mistakes.py lifecycle_[!u]*.py reset.py)

molecule: setup  ## A server with an agent, from blank machines: root
	molecule test -s server_and_agent

soak: setup  ## The long fault runs, not part of CI: root
	$(BIN)/python -m pytest -q tests/e2e/test_first_install.py tests -m soak
	molecule test -s three_servers
	molecule test -s external_datastore

bench: setup  ## Measure all, or SUITE=site, package or lifecycle; prints a table and writes build/bench.json
	$(BIN)/python -m tests.bench $(SUITE)

lab: setup  ## Start the three machines of inventory/lab
	$(LAB) up

lab-down: setup  ## Stop the machines and remove all that the lab put on this computer
	$(LAB) down

collection: setup  ## Build the collection's archive into build/
	ansible-galaxy collection build --force --output-path build .

lock: setup  ## Pin the newest versions that tests/requirements.in allows
	uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate --upgrade tests/requirements.in -o tests/requirements.txt

clean: lab-down  ## Remove what this checkout made; the cache of builds stays
	rm -rf build .venv .venv-newest
