# The verbs of Roost's developers, of CI, and of whoever deploys it. Every verb sets up what it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
VERSION := $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' src/roost/version.py)
IMAGE ?= roost:$(VERSION)
KUBECTL ?= $(shell command -v kubectl || echo $(CURDIR)/$(BIN)/kubectl)
export IMAGE KUBECTL KUBE_SCHEDULER_IMAGE

# What needs a stock kube-scheduler and is skipped by make test where there is none.
STOCK := tests/apiserver/test_kube_scheduler.py tests/cli/test_new_policy.py tests/examples/test_behind_kube_scheduler.py

.DEFAULT_GOAL := help
.PHONY: help setup test e2e lint format demo bench profile lock clean build push deploy undeploy tryit docker kubectl

help: ## list the verbs
	@grep -E '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

setup: $(STAMP) ## make .venv with everything a developer needs

$(STAMP): requirements/dev.txt pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) is missing: install Python 3.11 or newer (Debian: apt-get install python3)"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: Roost needs Python 3.11 or newer; name one with make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "make: this Python cannot make virtual environments: install its venv package (Debian: apt-get install python3-venv)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

test: $(STAMP) ## run the tests (no network, no cluster; a few minutes at most)
	$(BIN)/python -m pytest -n 2 $(ARGS)

e2e: $(STAMP) ## run the tests on a real kube-apiserver and etcd (built once with Go, about 5 minutes)
	$(BIN)/python -m pytest e2e $(STOCK) -rs $(ARGS)

lint: $(STAMP) ## check format, style, types and the laws of the architecture
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(STAMP) ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix --select I .

demo: $(STAMP) ## show pods being scheduled, and why, on a cluster of its own
	$(BIN)/roost demo $(ARGS)

bench: $(STAMP) ## measure the decision core, the embedded cluster and the webhook server
	$(BIN)/python -m benchmarks.core $(ARGS)
	$(BIN)/python -m benchmarks.nonlocal_rules
	$(BIN)/python -m benchmarks.apiserver
	$(BIN)/python -m benchmarks.extender

profile: $(STAMP) ## measure where a pod's CPU goes, on a real kube-apiserver and etcd
	$(BIN)/python -m benchmarks.profile_live $(ARGS)

build: docker ## build the image: IMAGE=NAME:TAG
	docker build -t $(IMAGE) .

push: docker ## push the image: IMAGE=REGISTRY/NAME:TAG
	docker push $(IMAGE)

docker:
	@docker version >/dev/null 2>&1 || { echo "make: docker is missing, or its daemon does not answer: install or start it, or build the Dockerfile with another tool"; exit 1; }

deploy: kubectl ## deploy a policy: POLICY=safe IMAGE=REGISTRY/NAME:TAG
	@deploy/deploy.sh deploy "$(POLICY)"

undeploy: kubectl ## remove it: POLICY=safe
	@deploy/deploy.sh undeploy "$(POLICY)"

kubectl:
	@test -x "$$(command -v $(KUBECTL))" || { echo "make: kubectl is missing: install it, or name it with KUBECTL=PATH"; exit 1; }

tryit: $(STAMP) ## show where POLICY=safe places pods; EMBEDDED=1 needs no cluster
	@$(BIN)/python deploy/tryit.py "$(POLICY)" $(if $(EMBEDDED),--embedded)

lock: ## export requirements with hashes from pyproject.toml
	@command -v uv >/dev/null || test -x $(BIN)/uv || { echo "make: uv is missing: pip install uv"; exit 1; }
	PATH="$(PATH):$(CURDIR)/$(BIN)" ./requirements/lock.sh

clean: ## remove what the verbs made here
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis
