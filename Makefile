# `make` says what there is. Each step of `install` leaves a stamp and is done again when what it
# was made from is newer; steps that do not need each other run side by side.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
UV_VERSION := 0.13.9
ENV ?= dev
JOBS ?= 4
N ?= 20000
SEED ?= 1
SHARDS ?= 1000

BIN := .venv/bin
STAMPS := build/stamps
SOURCES := clients functions infra_cdk layers operators tests
ENVIRONMENTS := local dev prod
CDK := PATH="$(CURDIR)/$(BIN):$$PATH" node node_modules/aws-cdk/bin/cdk
BUILT := $(addprefix $(STAMPS)/,node vendor task-runtime embedded-aws)

# jsii says at each start, in a page of text, that the Node.js of many distributions is old.
export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION := 20

# The login of the stack on this machine, wherever the user's own leads to.
LOCAL_LOGIN := XYLEM_CONFIG_DIR=$${XYLEM_HOME:-.xylem}/login

.PHONY: help install demo up down test check bench simulate synth deploy prove-kills prove-timers
.PHONY: prove-simulation prove-mutation prove-scope prove-operators prove-masking prove-logs prove-api
.PHONY: prove-sessions

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: ## everything that the others need, from package registries alone
	@$(MAKE) -s -j$(JOBS) --output-sync=target $(BUILT)

demo: install ## bring everything up, run a workflow, show its logs
	@$(BIN)/xylem local up
	@$(LOCAL_LOGIN) .ci/demo $(BIN)/xylem

up: install ## bring Xylem up on this machine
	@$(BIN)/xylem local up

down: ## end every process of it
	@if [ -x $(BIN)/xylem ]; then $(BIN)/xylem local down; fi

test: install ## every test, on a stack of its own
	@$(BIN)/pytest -n 2 -m "not e2e"
	@$(BIN)/pytest -m e2e tests/e2e

check: install ## ruff, mypy, import contracts; cdk-nag and cfn-lint on every environment
	@$(BIN)/ruff check $(SOURCES)
	@$(BIN)/ruff format --check --quiet $(SOURCES)
	@$(BIN)/mypy --no-error-summary $(SOURCES)
	@$(BIN)/lint-imports >build/lint-imports.txt || { cat build/lint-imports.txt; exit 1; }
	@$(MAKE) synth
	@$(BIN)/cfn-lint $(foreach name,$(ENVIRONMENTS),'build/cdk.out/$(name)/*.template.json')
	@echo "check: clean"

prove-kills: install ## kill -9 in a hundred running diamonds; goes on where it was stopped
	@$(BIN)/xylem local up
	@$(LOCAL_LOGIN) $(BIN)/python -m tests.proofs.kills --record

prove-operators: install ## an operator killed, cut, answered with errors, under two hundred tasks
	@$(BIN)/xylem local up
	@$(LOCAL_LOGIN) $(BIN)/python -m tests.proofs.operators --to-the-last --record

prove-logs: install ## two hundred tasks print four million lines while everything is killed
	@$(BIN)/xylem local up
	@$(LOCAL_LOGIN) $(BIN)/python -m tests.proofs.logs --record

prove-sessions: install ## 200 MB through sessions that are cut, moved and killed, bit for bit
	@$(BIN)/xylem local up
	@$(LOCAL_LOGIN) $(BIN)/python -m tests.proofs.session_cuts --seed $(SEED) --record

prove-timers: $(STAMPS)/venv ## ten thousand timers in real time: half an hour
	@$(BIN)/python -m tests.proofs.timers --record

prove-masking: $(STAMPS)/venv ## a hundred thousand logs full of secrets, of which none gets through
	@$(BIN)/python -m tests.proofs.masking --record

prove-api: $(STAMPS)/venv ## half an hour of requests that schemathesis makes of the OpenAPI; SEED=1
	@$(BIN)/python -m tests.proofs.api --seed $(SEED) --record

bench: install synth-prod ## how long a user waits and what it costs; RECORD=1 keeps the figures
	@missed=; \
	measure() { $(LOCAL_LOGIN) $(BIN)/python -m tests.benchmarks.$$1 $(if $(RECORD),--record) \
		|| missed="$$missed $$1"; }; \
	for figure in specs operator log_tail masking lists transfer; do measure $$figure; done; \
	$(BIN)/xylem local up; \
	for figure in engine latency bill throughput cold_start why_pending following sessions rsync; do \
		measure $$figure; \
	done; \
	test -z "$$missed" || { echo "bench: these failed or missed their line:$$missed" >&2; exit 1; }

prove-simulation: $(STAMPS)/venv ## N schedules in SHARDS, from SEED on; goes on where it was stopped
	@$(BIN)/python -m tests.proofs.simulation --runs $(N) --shards $(SHARDS) --seed $(SEED) \
		--jobs $(JOBS) $(if $(RECORD),--record)

prove-scope: $(STAMPS)/venv ## each order of events in a small scope; TOGETHER=1 takes hours
	@$(BIN)/python -m tests.proofs.scope $(if $(TOGETHER),--together) $(if $(RECORD),--record)

prove-mutation: $(STAMPS)/venv ## change each guard and row of the domain; what nobody notices is listed
	@$(BIN)/python -m tests.proofs.mutation --jobs $(JOBS) $(if $(RECORD),--record)

simulate: $(STAMPS)/venv ## schedules full of faults: make simulate N=20000 SEED=1
	@$(BIN)/python -m tests.simulation --runs $(N) --seed $(SEED)

synth: install ## the CloudFormation templates of every environment, below build/cdk.out
	@$(MAKE) -s -j$(JOBS) $(addprefix synth-,$(ENVIRONMENTS))

synth-%:
	@mkdir -p build/cdk.out
	@$(CDK) synth --quiet --context environment=$* --output build/cdk.out/$* \
		>build/cdk.out/$*.log 2>&1 || { cat build/cdk.out/$*.log; exit 1; }
	@echo "synthesised $*"

deploy: install ## to AWS: make deploy ENV=dev RUNTIME_IMAGE=... [ALARM_EMAIL=...]
	@case "$(ENV)" in dev|prod) ;; *) echo "ENV is dev or prod, not $(ENV)." >&2; exit 2;; esac
	@test -n "$(RUNTIME_IMAGE)" || { echo "Say which image has the Task Runtime: RUNTIME_IMAGE=..." \
		"(docs/join-cluster.md)." >&2; exit 2; }
	@$(CDK) deploy --all --context environment=$(ENV) --context runtime_image=$(RUNTIME_IMAGE) \
		$(if $(ALARM_EMAIL),--context alarm_email=$(ALARM_EMAIL))

# What `install` makes ------------------------------------------------------------------------------

python_in = $(shell find $(1) -name '*.py' -not -path '*/__pycache__/*')

$(STAMPS)/venv: pyproject.toml uv.lock layers/core/pyproject.toml layers/aws/pyproject.toml
	@mkdir -p $(@D)
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || { \
		echo "Xylem needs Python 3.11, 3.12 or 3.13: say make PYTHON=python3.11" >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip >/dev/null
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check \
		uv==$(UV_VERSION)
	@$(BIN)/uv sync --frozen --inexact --quiet
	@touch $@ && echo "installed the Python environment"

$(STAMPS)/node: package.json package-lock.json
	@mkdir -p $(@D)
	@command -v npm >/dev/null || { echo "npm is missing: install Node.js 20 or newer." >&2; exit 2; }
	@npm ci --silent --no-audit --no-fund
	@touch $@ && echo "installed the CDK's command line"

$(STAMPS)/vendor: $(STAMPS)/venv $(call python_in,layers/vendor)
	@$(BIN)/python -m layers.vendor.build
	@touch $@

$(STAMPS)/native: $(STAMPS)/venv $(wildcard operators/native/*)
	@$(BIN)/python -m operators.native.build
	@touch $@

$(STAMPS)/task-runtime: $(STAMPS)/native $(call python_in,operators/task_runtime layers/core/python)
	@$(BIN)/python -m operators.task_runtime.build
	@touch $@ && echo "built the Task Runtime"

$(STAMPS)/embedded-aws: $(STAMPS)/venv $(wildcard clients/local/embedded_aws/*-requirements.txt)
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m clients.local.embedded_aws.install
	@touch $@ && echo "installed the embedded AWS"
