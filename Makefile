# Everything that is done with this repository, by one word each. `make` alone lists them.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
.DELETE_ON_ERROR:
.NOTPARALLEL:

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
CLUSTER := $(BIN)/python -m cluster
IN_CLUSTER := $(CLUSTER) run --
CODE := operator instrument cluster demo bench tests docs
FAST_TESTS := tests/unit tests/simulation
MANY := -n 2 --dist worksteal # most tests of the shell wait; with more at a time on two cores they miss their moments
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PYTHONPATH := $(CURDIR)/operator:$(CURDIR)/instrument:$(CURDIR)

##@ Develop
.PHONY: help
help: ## list the targets
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@ / { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(READY) ## make .venv from the pinned hashes (nothing happens when it is up to date)

$(READY): requirements/dev.txt requirements/setup.sh pyproject.toml instrument/pyproject.toml
	@bash requirements/setup.sh "$(PYTHON)" $(VENV) requirements/dev.txt
	@touch $@

.PHONY: lint
lint: setup ## check style, formatting and the import contracts
	$(BIN)/ruff check $(wildcard $(CODE))
	$(BIN)/ruff format --check $(wildcard $(CODE))
	$(BIN)/lint-imports

.PHONY: type
type: setup ## check types (mypy --strict)
	$(BIN)/mypy $(wildcard $(CODE))

.PHONY: format
format: setup ## rewrite the code in the house style
	$(BIN)/ruff check --fix $(wildcard $(CODE))
	$(BIN)/ruff format $(wildcard $(CODE))

.PHONY: crds
crds: setup ## write crds/ and docs that are made from the code
	$(BIN)/python -m seatrial.api.schema crds
	$(BIN)/python -m docs.phases
	$(BIN)/python -m docs.judgement

##@ Test
.PHONY: test
test: deploy demo-image ## run every test: unit, property, simulation, API server, Prometheus, cluster
	$(BIN)/python -m tests.prometheus.server
	$(BIN)/pytest $(FAST_TESTS) tests/apiserver tests/prometheus $(MANY) --cov --cov-report=
	$(IN_CLUSTER) $(BIN)/pytest tests/cluster -m "not alone" $(MANY) --cov --cov-append --cov-report=
	$(IN_CLUSTER) $(BIN)/pytest tests/cluster -m alone --cov --cov-append

.PHONY: test-unit
test-unit: setup ## run the tests that need nothing but Python (unit, property, simulation)
	$(BIN)/pytest $(FAST_TESTS) $(MANY) --cov

.PHONY: test-apiserver
test-apiserver: setup ## run the tests against a bare API server
	$(BIN)/pytest tests/apiserver $(MANY)

.PHONY: test-prometheus
test-prometheus: setup ## run the tests against a bare Prometheus
	$(BIN)/pytest tests/prometheus $(MANY)

.PHONY: test-cluster
test-cluster: deploy demo-image ## run the tests against the running cluster
	$(IN_CLUSTER) $(BIN)/pytest tests/cluster -m "not alone" $(MANY)
	$(IN_CLUSTER) $(BIN)/pytest tests/cluster -m alone

.PHONY: bench
bench: deploy demo-image ## measure in the running cluster and print the figures
	$(BIN)/python -m bench.judge
	$(BIN)/python -m bench.look
	$(BIN)/python -m bench.drift --runs 1000 --weeks 1
	$(BIN)/python -m bench.instrument
	$(IN_CLUSTER) $(BIN)/python -m bench.rollback

.PHONY: bench-scale
bench-scale: setup ## measure 300 and 1,000 models, their pods played (takes the place of the running cluster)
	$(CLUSTER) up --level control-plane
	$(IN_CLUSTER) $(BIN)/python -m bench.scale

##@ Run
.PHONY: demo
demo: demo-rollouts demo-drift ## show both stories under load (about eight minutes)

.PHONY: demo-rollouts
demo-rollouts: deploy demo-image ## show four versions: promoted, and rolled back for errors and for slowness
	$(IN_CLUSTER) $(BIN)/python -m demo.story

.PHONY: demo-drift
demo-drift: deploy demo-image ## show drift and late labels: broken feature pipelines are rolled back, a changed world is nobody's fault
	$(IN_CLUSTER) $(BIN)/python -m demo.drift

.PHONY: demo-down
demo-down: cluster-down ## remove the demo and its cluster

.PHONY: cluster
cluster: setup ## start a real Kubernetes with a gateway and Prometheus, or reuse the one that runs
	$(CLUSTER) up

.PHONY: cluster-down
cluster-down: setup ## stop the cluster and leave nothing of it behind
	$(CLUSTER) down

.PHONY: image
image: cluster ## build the operator's image and load it into the cluster
	$(CLUSTER) image seatrial/operator:dev -f Dockerfile .

.PHONY: demo-image
demo-image: cluster ## build the demo model's image and load it into the cluster
	$(CLUSTER) image seatrial/demo-model:dev -f demo/model/Dockerfile .

.PHONY: deploy
deploy: image ## install the CRDs and the operator into the cluster
	$(IN_CLUSTER) kubectl apply --server-side --force-conflicts -k manifests/install
	$(IN_CLUSTER) kubectl -n seatrial-system rollout restart deployment/seatrial-operator
	$(IN_CLUSTER) kubectl -n seatrial-system rollout status deployment/seatrial-operator --timeout=180s

.PHONY: undeploy
undeploy: setup ## remove all our objects, then the operator, then the CRDs
	if $(IN_CLUSTER) kubectl get crd modeldeployments.seatrial.dev >/dev/null 2>&1; then \
	  $(IN_CLUSTER) kubectl delete modeldeployments,modelslos --all --all-namespaces --timeout=120s; \
	fi
	$(IN_CLUSTER) kubectl delete -k manifests/install --ignore-not-found --timeout=120s
