# `make` prints the targets. Works from any directory: make -C path/to/darwin demo
SHELL := /bin/bash
PYTHON ?= python3.11
# cpu, gpu or none: which build of vLLM is installed
VLLM ?= cpu
# auto, or a name of the table in services/generation/engines.py; openai wants DARWIN_GENERATION_ENDPOINT
ENGINE ?= auto
PORT ?= 8080
# What `make demo` asks and prefers. A prompt of your own is steered by the preference that you name, or by none.
ifeq ($(origin PROMPT),undefined)
PROMPT := Why do we sleep?
PREFER ?= at most two sentences, plain words
endif
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help install demo up test check format proto proto-check k8s k8s-rules compose-test gpu-test clients bench chaos soak load clean

help: ## Print this
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## (.*)/  make \1|\2/' | column -t -s '|'

install: ## Create .venv and prepare the models (once; VLLM=gpu on a GPU machine)
	@$(PYTHON) scripts/install.py --vllm $(VLLM)

demo: install ## Align one real instruction through the whole system (PROMPT="…" PREFER="at most two sentences, plain words")
	@$(BIN)/darwin align --engine $(ENGINE) --max-tokens 160 $(if $(PREFER),--prefer "$$DARWIN_PREFER") -- "$$DARWIN_PROMPT"

demo: export DARWIN_PROMPT := $(value PROMPT)
demo: export DARWIN_PREFER := $(value PREFER)

up: install ## Keep the stack in the foreground (PORT=8080)
	@exec $(BIN)/darwin up --engine $(ENGINE) --port $(PORT)

test: install ## Every test, on real parts
	@$(BIN)/python -m pytest -n 3

check: install ## Lint, types, import contracts, generated code
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@$(MAKE) --no-print-directory proto-check

format: install ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

proto: install ## Generate shared/pb from proto/
	$(BIN)/python -m grpc_tools.protoc -Ishared/pb=proto --python_out=. --pyi_out=. --grpc_python_out=. \
		$(patsubst proto/%,shared/pb/%,$(wildcard proto/*.proto))

proto-check: proto ## Fail where shared/pb is not what proto/ generates
	@git diff --exit-code --stat -- shared/pb

k8s: install ## Render the Kubernetes manifests, validate them, and say what is in them
	@$(BIN)/python -m tests.k8s

k8s-rules: ## Copy the alerts of observability/ into k8s/
	@{ sed '/^spec:/q' k8s/components/monitoring/rules.yaml; sed 's/^./  &/' observability/prometheus/rules.yaml; } > k8s/rules.new
	@mv k8s/rules.new k8s/components/monitoring/rules.yaml

bench: install ## Service against the physical limit, and each stage (tables, bench/out/*.json)
	$(BIN)/python -m bench

chaos: install ## A table of faults against the running stack (ENGINE=simulated ONLY="kill worker")
	$(BIN)/python -m tests.chaos --engine $(ENGINE) $(if $(ONLY),--only "$(ONLY)")

soak: install ## 5,000 evolutions: does a process grow, does a key stay (about ten minutes)
	$(BIN)/python -m bench.soak

load: install ## Three tenants ask for up to twice what the system can do while workers die (AGAINST=earlier.json; about ten minutes)
	$(BIN)/python -m bench.load $(if $(AGAINST),--against "$(AGAINST)")

compose-test: install ## Build every image and prove docker-compose.yml on a real engine (about 15 minutes the first time)
	$(BIN)/python -m tests.compose

gpu-test: install ## Engine and rewards on this machine's GPU, at most eight minutes (VLLM=gpu; without a GPU it says so)
	@$(BIN)/python -m tests.gpu

clients: install ## Programs of other people's clients against Darwin and plain vLLM (environments in .clients/, docs/clients.md)
	$(BIN)/python -m tests.clients --write docs/clients.md

clean: ## Remove .venv and caches
	rm -rf .venv .clients .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache bench/out *.egg-info
