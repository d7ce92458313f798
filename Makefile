# Everything one does with this repository starts here; `make` alone lists the targets.
# Longer work lives in scripts/, one script per target, so that each can be read and run by itself.

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS   += --no-builtin-rules
.DEFAULT_GOAL := help

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION)

# The packages whose tests start the real binary. Everything else is a unit test.
E2E := ./tests/...

##@ Product

.PHONY: build
build: ## build bin/signalbox: one static binary, no cgo, no Node needed
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/signalbox ./cmd/signalbox

.PHONY: run
run: build ## start an instance without any key, send sample traffic through it, keep serving until Ctrl-C
	@scripts/run.sh

.PHONY: console
console: ## rebuild the web console's committed files (console/dist) from its source
	@scripts/console.sh build

##@ Checks

.PHONY: test
test: ## every check, in order, each timed; stops at the first that fails (under 20 minutes on 2 cores)
	@scripts/test.sh

.PHONY: setup
setup: ## install what the tests need and the machine lacks (Debian, root); quick when all is there
	@scripts/setup.sh

.PHONY: lint
lint: .bin/golangci-lint ## linters and formatting, each rule with its reason in .golangci.yml
	.bin/golangci-lint config verify
	CGO_ENABLED=0 GOFLAGS="$$(go env GOFLAGS) -trimpath" .bin/golangci-lint run --allow-parallel-runners

.PHONY: fmt
fmt: .bin/golangci-lint ## format all Go code (gofumpt, import order)
	.bin/golangci-lint fmt

.PHONY: test-unit
test-unit: ## unit tests with the race detector, in random order
	@scripts/gotest.sh unit

.PHONY: test-e2e
test-e2e: build ## end-to-end tests against bin/signalbox: SDKs, faults, crashes
	@scripts/gotest.sh e2e

.PHONY: test-console
test-console: ## the console: types, unit tests, committed build equals its source, size
	@scripts/console.sh check

.PHONY: test-browser
test-browser: build ## the console in Chromium against bin/signalbox: journeys and accessibility
	@scripts/console.sh browser

.PHONY: test-long
test-long: build ## the long form of the proofs (hours): more crashes, more faults, more fuzzing
	@scripts/gotest.sh long

.PHONY: test-real-model
test-real-model: build ## chat and stream through a real small model served on this machine
	@scripts/real-model.sh

.PHONY: bench
bench: build ## speed against a bare reverse proxy, of models and tools, what budgets cost, the ledger and the log; BENCH='-rounds 3' for flags
	@eval "$$(scripts/postgres.sh start)"; trap 'scripts/postgres.sh stop' EXIT; go run ./bench $(BENCH)

.PHONY: vuln
vuln: .bin/govulncheck ## known vulnerabilities; needs the Go vulnerability database, so it is not part of `make test`
	@scripts/vuln.sh

##@ Other

.PHONY: clean
clean: ## remove built binaries and tools (data/ stays)
	rm -rf bin .bin

.PHONY: help
help: ## this list
	@awk 'BEGIN {FS = ":.*## "} \
	  /^##@ / {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-z][a-z0-9-]*:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Tools are pinned in tools/go.mod, a module of its own, so that the product's go.mod stays free of them.
.bin/golangci-lint: tools/go.mod tools/go.sum
	CGO_ENABLED=0 go build -C tools -trimpath -ldflags '-s -w' -o ../.bin/ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

.bin/govulncheck: tools/go.mod tools/go.sum
	CGO_ENABLED=0 go build -C tools -trimpath -ldflags '-s -w' -o ../.bin/ golang.org/x/vuln/cmd/govulncheck
