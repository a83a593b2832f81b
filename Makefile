# Everything goes through minegis/local, which runs on the system's Python before any virtual environment exists.
PYTHON ?= python3
LOCAL := $(PYTHON) -m minegis.local
VENV := .venv/bin/python
.DEFAULT_GOAL := help
.PHONY: help demo stop test lint bench train setup lock format clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## set up, start everything, run the demonstration; DETACH=1 returns once ready, PORT=8000 is tried first
	@$(LOCAL) demo $(if $(DETACH),--detach)

stop: ## end what demo started, and nothing else
	@$(LOCAL) stop

test: ## the whole test suite on every core; PYTEST_ARGS="-k name" narrows it
	@$(LOCAL) test $(PYTEST_ARGS)

lint: ## every static check
	@$(LOCAL) lint

bench: ## the benchmark tables
	@$(LOCAL) setup --dev
	@missed=; for table in benchmarks/bench_*.py; do echo "== $$table"; $(VENV) $$table || missed="$$missed $$table"; done; \
	if [ -n "$$missed" ]; then echo "short of an aim, or failed:$$missed"; exit 1; fi

train: ## train a shipped model again from its recipe; MODEL=2m (default) or 10m
	@$(LOCAL) setup --dev
	@$(VENV) -m landdamage.learning.train --recipe $(or $(MODEL),2m)

setup: ## packages and .venv only, with the development tools
	@$(LOCAL) setup --dev

lock: ## pin what is installed in .venv
	@$(VENV) -m minegis.local.lock

format: ## let ruff rewrite the sources
	@$(VENV) -m ruff check --fix --quiet . ; $(VENV) -m ruff format .

clean: ## stop, then delete .venv, caches and var/ with all of the demonstration's data
	@$(LOCAL) clean
