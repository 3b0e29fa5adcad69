# One command per job; `make help` lists them. Everything but Python 3.11, make and a C++ compiler
# comes from PyPI into .venv, pinned with hashes by requirements.lock.

SHELL := /bin/sh
PYTHON ?= $(or $(shell command -v python3.11 2>/dev/null),python3)
VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed
VERILOG := build/siommu.v
BRIDGE := build/siommu_axi_bridge.v
HDL := $(shell find hdl/siommu -name '*.py' -o -name '*.rdl')
SEEDS ?= 20
PRESETS := small default large
TRANSLATIONS ?= 1000000
INVALIDATIONS ?= 5000
MINUTES ?= 20
KIND ?= worlds
COUNT ?= 100
SITE ?= local
BOARD ?= ulx3s
PRESET ?= small
# All cores. A simulation's tests stay in one process; the longest simulations come first.
PYTEST := $(PY) -m pytest
PARALLEL := -n auto --dist loadscope --no-loadscope-reorder
# Tests that have a target of their own.
ELSEWHERE := --ignore tests/linux --ignore tests/soc --ignore tests/cluster --ignore tests/soft_errors \
	--ignore tests/fpga/image
export PYTHON
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# What a recipe that failed has begun must not look made. The commands write whole files anyway.
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help verilog check test test-soc test-synth linux test-linux stress-linux linux-shell regress lint demo waves formal mutants mutants-random soft-errors bench bench-linux bench-synth soak revocation matrix \
	fpga board-sim soc campaign coverage test-cluster test-netlist test-undefined test-flips test-board \
	docs generate lock clean distclean

help: ## this list
	@echo "SIOMMU: storage I/O memory management unit"
	@sed -n -e 's/^#: \(.*\)/|\1/p' -e 's/^\([a-z-]*\):.*## /\1|/p' $(MAKEFILE_LIST) | \
		while IFS='|' read -r name text; do \
			if [ "$$name" ]; then printf '  make %-14s %s\n' "$$name" "$$text"; \
			else printf '\n%s\n' "$$text"; fi; done
	@echo
	@echo "Missing Debian packages are installed if root runs make; SIOMMU_INSTALL=no prevents that."

# The stamp comes last, after all that it stands for. It is empty, so it cannot be cut.
$(STAMP): requirements.lock requirements-data.lock pyproject.toml
	@sh scripts/check_tools.sh python
	@echo "siommu: making the virtual environment $(VENV) with $(PYTHON)"
	@rm -rf $(VENV)
	@"$(PYTHON)" -m venv $(VENV)
	@echo "siommu: installing the pinned packages from PyPI (about 100 MB)"
	@$(PY) -m pip install --quiet --require-hashes --no-deps -r requirements.lock \
		-r requirements-data.lock
	@echo "siommu: installing this package into $(VENV)"
	@PYTHONWARNINGS=ignore $(PY) -m pip install --quiet --no-deps --no-build-isolation --no-index -e .
	@touch $@

$(VERILOG): $(STAMP) $(HDL)
	@echo "siommu: generating $@"
	@$(PY) -m siommu generate --output $@

$(BRIDGE): $(STAMP) $(HDL)
	@echo "siommu: generating $@"
	@$(PY) -m siommu bridge --output $@

#: The core

verilog: $(VERILOG) $(BRIDGE) ## write the core and the bridge as Verilog below build/
	@echo "siommu: $(VERILOG) and $(BRIDGE) are up to date"

#: Does it work?

check: $(STAMP) ## a short tour (3 minutes): lint, fast tests, one random world on the RTL
	@sh scripts/check_tools.sh compiler libpython e2fsprogs
	@$(MAKE) --no-print-directory lint PRESETS=default
	@echo "siommu: running the fast tests, and random world $(or $(SEED),0)"
	@SEED=$(or $(SEED),0) $(PYTEST) $(PARALLEL) -q $(ELSEWHERE) -m "not slow and not synthesis" $(ARGS)
	@echo "siommu: the short tour passed; make test runs everything"

test: $(STAMP) ## unit tests and regression (SEED=n: of its random tests)
	@sh scripts/check_tools.sh compiler libpython e2fsprogs tools
	@echo "siommu: running the tests (ARGS=-n0 runs them one after the other)"
	@$(PYTEST) $(PARALLEL) $(ELSEWHERE) -m "not synthesis" $(ARGS)

test-board: $(STAMP) ## the image of an FPGA board, and a simulated one behind its UART (a minute)
	@sh scripts/check_tools.sh compiler tools
	@$(PYTEST) $(PARALLEL) tests/fpga/image $(ARGS)

test-soc: $(STAMP) ## the core in what others build: FuseSoC, Amaranth, LiteX, beside a processor
	@sh scripts/check_tools.sh compiler libpython tools
	@$(PYTEST) $(PARALLEL) tests/soc $(ARGS)

test-synth: $(STAMP) ## plain Yosys synthesises `small` for three families of FPGAs (4 minutes)
	@$(PYTEST) $(PARALLEL) -m synthesis tests/hdl/generate $(ARGS)

test-netlist: ## the regression on a netlist of Yosys, cell by cell (hours)
test-undefined: ## the regression with random bits wherever reset leaves them (SEED=n)
test-netlist test-undefined: $(STAMP)
	@sh scripts/check_tools.sh compiler libpython
	@FORM=$(@:test-%=%) $(PYTEST) $(PARALLEL) tests/regression/test_regression.py $(ARGS)

test-flips: $(STAMP) ## bits flip in some memories of a small core, which stops (a minute)
	@sh scripts/check_tools.sh compiler libpython
	@$(PYTEST) tests/soft_errors $(ARGS)

#: Under Linux

test-linux: $(VERILOG) ## boot Debian's kernel in QEMU on the emulated SSD, with the core beside it
	@sh scripts/check_tools.sh compiler libpython e2fsprogs
	@$(PY) -m sim.qemu fetch
	@$(PYTEST) -n0 tests/linux $(ARGS)

linux: $(VERILOG) ## a real Linux: programs read and write their files directly, and nobody else's
	@sh scripts/check_tools.sh compiler e2fsprogs
	@$(PY) -m sim.qemu story $(ARGS)

stress-linux: $(VERILOG) ## processes in a guest at random, and what must hold (MINUTES=20, SEED=n)
	@sh scripts/check_tools.sh compiler e2fsprogs
	@$(PY) -m tests.linux.stress --minutes $(MINUTES) $(if $(SEED),--seed $(SEED)) $(ARGS)

linux-shell: $(VERILOG) ## a shell in that Linux (ARGS="--image FILE": the SSD's content)
	@sh scripts/check_tools.sh compiler
	@$(PY) -m sim.qemu run $(ARGS)

#: Parts of the tests, and long runs of them

regress: $(STAMP) ## the regression alone, many seeds of each random test (SEEDS=20)
	@sh scripts/check_tools.sh compiler libpython
	@echo "siommu: running the regression with $(SEEDS) seeds"
	@SEEDS=$(SEEDS) $(PYTEST) $(PARALLEL) tests/regression $(ARGS)

lint: $(VERILOG) $(BRIDGE) ## ruff; registers as released; verilator --lint-only -Wall on every preset
	@echo "siommu: linting the Python sources"
	@$(VENV)/bin/ruff check --quiet
	@echo "siommu: comparing the registers with those of the releases"
	@$(PY) -m scripts.compatibility
	@for preset in $(PRESETS); do \
		echo "siommu: linting the preset $$preset"; \
		said=$$($(PY) -m siommu generate --preset $$preset --output build/lint/$$preset.v 2>&1) || \
			{ echo "$$said" >&2; exit 1; }; \
		$(PY) scripts/verilator --lint-only -Wall --top-module siommu scripts/siommu.vlt \
			build/lint/$$preset.v || exit 1; \
	done
	@$(PY) scripts/verilator --lint-only -Wall --top-module example_soc scripts/siommu.vlt \
		docs/example_soc.v $(VERILOG)
	@for options in "--data-width 512 --id-width 16 --outstanding 32" \
			"--data-width 128 --id-width 1 --outstanding 1"; do \
		echo "siommu: linting the bridge with $$options"; \
		said=$$($(PY) -m siommu bridge $$options --output build/lint/bridge.v 2>&1) || \
			{ echo "$$said" >&2; exit 1; }; \
		$(PY) scripts/verilator --lint-only -Wall --top-module siommu_axi_bridge \
			scripts/siommu.vlt build/lint/bridge.v || exit 1; \
	done
	@$(PY) scripts/verilator --lint-only -Wall --top-module example_dma scripts/siommu.vlt \
		docs/example_dma.v $(VERILOG) $(BRIDGE)
	@echo "siommu: no warnings but the waivers in scripts/siommu.vlt"

#: To look at

demo: $(STAMP) ## an SSD with a real ext4 image, read through the core
	@sh scripts/check_tools.sh compiler libpython e2fsprogs
	@$(PY) -m tests.demo

soc: $(STAMP) ## a firmware in C on a RISC-V processor brings the core up, and says what it finds
	@sh scripts/check_tools.sh compiler riscv
	@$(PY) -m tests.soc.riscv

waves: $(STAMP) ## waves of one test for GTKWave (TEST=name)
	@sh scripts/check_tools.sh compiler libpython
	@$(PY) -m tests.regression.waves "$(TEST)"

#: What is shown, and by what

formal: $(STAMP) ## the proofs, and twins with planted faults that must fail
	@sh scripts/check_tools.sh abc
	@$(PY) -m tests.formal

coverage: $(STAMP) ## lines, branches, toggles and named covers of the regression; build/coverage/index.html
	@sh scripts/check_tools.sh compiler libpython
	@echo "siommu: running the regression with coverage"
	@$(PY) -m tests.coverage $(ARGS)

mutants: $(STAMP) ## plant every known fault in the RTL; a test must notice each (an hour)
	@sh scripts/check_tools.sh compiler libpython
	@$(PY) -m tests.mutants $(ARGS)

mutants-random: $(STAMP) ## faults drawn by chance, in the exported Verilog (SEED=n; hours)
	@sh scripts/check_tools.sh compiler libpython
	@$(PY) -m tests.random_mutants $(if $(SEED),--seed $(SEED)) $(ARGS)

soft-errors: $(STAMP) ## bits flip in every memory of the core, under random worlds (half an hour)
	@sh scripts/check_tools.sh compiler libpython
	@$(PY) -m tests.soft_errors $(ARGS)

#: How fast, how large

bench: $(STAMP) ## measure latency and throughput; the report is build/bench/report.md
	@sh scripts/check_tools.sh compiler libpython
	@$(PY) -m tests.bench $(ARGS)

bench-linux: $(VERILOG) ## what a read costs a program under Linux, by kernel and directly
	@sh scripts/check_tools.sh compiler e2fsprogs
	@$(PY) -m tests.bench.linux

bench-synth: $(STAMP) ## size and routed frequency on the ECP5-85; build/synth/synth.md (hours)
	@$(PY) -m fpga.synth $(ARGS)

#: On a board

fpga: $(STAMP) ## the bitstream of a board (BOARD=ulx3s, PRESET=small); build/fpga/
	@$(PY) -m fpga.image.build --board $(BOARD) --preset $(PRESET) $(ARGS)

board-sim: $(STAMP) ## random worlds through siommu-host on the simulated board (TRANSLATIONS=1000)
	@sh scripts/check_tools.sh compiler
	@$(PY) -m sim.board.cli --simulate --preset $(PRESET) random \
		--translations $(if $(filter command line environment,$(origin TRANSLATIONS)),$(TRANSLATIONS),1000) $(ARGS)

#: Long runs with random worlds

soak: $(STAMP) ## random worlds until TRANSLATIONS pages were compared with the golden model
	@sh scripts/check_tools.sh compiler libpython
	@$(PY) -m tests.bench.soak --translations $(TRANSLATIONS) $(ARGS)

revocation: $(STAMP) ## tables change under traffic (INVALIDATIONS=5000)
	@sh scripts/check_tools.sh compiler libpython
	@SIOMMU_INVALIDATIONS=$(INVALIDATIONS) $(PYTEST) tests/regression -rP \
		-k "tables_change_under_traffic and default" $(ARGS)

matrix: $(STAMP) ## random worlds on every combination of bus, L2, walks and ports (hours)
	@sh scripts/check_tools.sh compiler libpython
	@$(PY) -m tests.bench.matrix $(ARGS)

#: Thousands of jobs

campaign: $(STAMP) ## jobs of a KIND (worlds, matrix, mutants, random-mutants, proofs, places) here or on a cluster (SITE=slurm)
	@sh scripts/check_tools.sh compiler libpython
	@$(PY) -m tests.campaign $(KIND) --count $(COUNT) --site $(SITE) $(ARGS)

test-cluster: $(STAMP) ## campaigns on a Slurm of one node, made for the test (root; 3 minutes)
	@sh scripts/check_tools.sh slurm
	@$(PYTEST) -n0 tests/cluster $(ARGS)

#: For those who change it

docs: $(STAMP) ## the documentation site: build/site/html/index.html
	@$(PY) -m scripts.site

generate: $(STAMP) ## write C header, IP-XACT, references and pictures anew from the declarations
	@$(PY) -m scripts.generate

lock: ## write requirements.lock anew from pyproject.toml
	@test -x $(VENV)/bin/pip-compile || { "$(PYTHON)" -m venv $(VENV) && \
		$(PY) -m pip install --quiet $$(sed -n 's/^ *"\(pip-tools==[^"]*\)",/\1/p' pyproject.toml); }
	@echo "siommu: resolving the dependencies on PyPI"
	@# Beside, then renamed: a lock that was cut would install a part. What is locked stays locked.
	@trap 'rm -f requirements.lock.new' EXIT; \
		{ test ! -f requirements.lock || cp requirements.lock requirements.lock.new; } && \
		PIP_CONFIG_FILE=/dev/null PIP_FIND_LINKS= CUSTOM_COMPILE_COMMAND="make lock" \
		$(VENV)/bin/pip-compile --quiet --all-extras --generate-hashes --allow-unsafe --strip-extras \
		--no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
		--output-file requirements.lock.new pyproject.toml && \
		mv requirements.lock.new requirements.lock

#: Tidying

clean: ## remove everything generated but the virtual environment
	rm -rf build .pytest_cache

distclean: clean ## remove the virtual environment as well
	rm -rf $(VENV)
