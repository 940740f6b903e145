# The project's commands; `make` alone lists them. Ports and folders are variables of scripts/stack.env and may be given
# here too: make up WALLET_PORT=8189
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help up down status logs reset build migrate run-api run-worker test test-unit lint format bench \
	build-tools tools python swift

SOURCES := Sources Tests Package.swift
# Test targets that need no server.
UNIT_TESTS := JSON|Ledger|Digest|Events|Runtime|Observability|HTTPServer|Bench|Commands

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: build tools ## Start a local stack and wait until it is ready (API on port 8089); harmless when it runs
	@$(if $(DATABASE_URL),true,scripts/packages server)
	@scripts/packages client
	@scripts/stack up

down: ## Stop the local stack and keep its data
	@scripts/stack down

status: ## Show what runs
	@scripts/stack status || true

logs: ## Show the logs' ends and follow them (one of them: make logs LOG=api)
	@scripts/stack logs $(LOG)

reset: ## Stop the local stack and delete its data, logs and passwords
	@scripts/stack reset

migrate: build ## Bring the running stack's database to this checkout's schema
	@scripts/stack wallet migrate up

run-api: build ## Run the API in the foreground on the stack's servers, in place of the stack's own
	@scripts/stack foreground api

run-worker: build ## Run the worker in the foreground on the stack's servers, in place of the stack's own
	@scripts/stack foreground worker

build: build-tools ## Build the release binary, .build/release/wallet
	swift build -c release --product wallet

test: build-tools tools python ## Run every test; sets up what they need
	@scripts/packages server client
	swift build --build-tests
	swift test --skip-build --disable-xctest --no-parallel

test-unit: build-tools ## Run the tests that need no server
	swift test --disable-xctest --filter '^($(UNIT_TESTS))Tests\.'

lint: build-tools tools ## Check format, shell scripts and the repository's own rules
	swift format lint --strict --parallel --recursive $(SOURCES)
	scripts/lint-shell
	swift build --build-tests
	swift test --skip-build --disable-xctest --filter '^TidyTests\.'

format: swift ## Format the Swift files in place
	swift format --in-place --parallel --recursive $(SOURCES)

bench: build tools ## Measure on a stack of its own: uniform, hot, latency, batches, between wallets, the hash chain
	@scripts/packages server client
	@scripts/bench

# What the commands above need.
swift:
	@command -v swift >/dev/null || { echo "Swift 6.2 or newer is needed: https://www.swift.org/install" >&2; exit 1; }

build-tools: swift
	@scripts/packages build

tools:
	@scripts/packages python
	@scripts/python-env tools

python:
	@scripts/packages python
	@scripts/python-env python
