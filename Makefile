# Systolith. On a fresh machine two commands do everything: `make demo` and `make test`.
#
# Needs python3 >= 3.11 with venv, a C++ compiler and make; everything else comes from PyPI into .venv.
# `make PYTHON=python3.12 install` takes another Python.

PYTHON  = python3
VENV    = .venv
BIN     = $(VENV)/bin
STAMP   = $(VENV)/installed
SYNTH   = $(VENV)/installed-synth
NOTES   = $(VENV)/installed-notebook
BESIDE  = .venv-scalesim
WORKERS = 2
TYPED   = -p systolith.hw -p systolith.quant -p systolith.sw -p systolith.sim

.PHONY: help install demo test test-slow bench bench-slow bench-scalesim notebooks lint fmax fmax-slow boards clean check-system

help:
	@echo 'make install    make .venv and install everything into it, pinned by constraints.txt'
	@echo 'make demo       the whole path on the network of the package; leaves demo-out/demo.png'
	@echo 'make test       the tests; 15 minutes is the aim, 26 on a slow processor, most of it Verilator builds'
	@echo 'make test-slow  the long tests, netlists of yosys among them, and the planted faults; hours (the accuracy test needs dataset-fashion-mnist)'
	@echo 'make bench      the fast benchmarks into docs/benchmarks.md; under 10 minutes once simulations are built'
	@echo 'make bench-slow all of them (trained networks are taken from ../shared/data, if they are there)'
	@echo 'make bench-scalesim  layer tables beside SCALE-Sim into docs/benchmarks.md; under 15 minutes the first time'
	@echo 'make notebooks  run the notebooks from top to bottom, warnings as errors; under 10 minutes'
	@echo 'make lint       ruff and mypy'
	@echo 'make fmax       clock and cells of small engines on ECP5 into docs/benchmarks.md; under 15 minutes'
	@echo 'make fmax-slow  the whole clock table, hours the first time; what was interrupted goes on'
	@echo 'make boards     bitstreams of all boards into docs/boards.md, networks on boards into docs/benchmarks.md'
	@echo 'make clean      remove .venv, .venv-scalesim, demo-out and what the tools left'

install: $(STAMP)

check-system:
	@command -v $(PYTHON) >/dev/null || \
	  { echo 'make: python3 is not installed: apt install python3 python3-venv' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "make: $(PYTHON) is $$($(PYTHON) --version 2>&1), but 3.11 is the oldest that works:" \
	    'apt install python3.11 python3.11-venv, then make PYTHON=python3.11 ...' >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
	  { echo 'make: the venv module of Python is not installed: apt install python3-venv' >&2; exit 1; }
	@command -v g++ >/dev/null || command -v clang++ >/dev/null || command -v c++ >/dev/null || \
	  { echo 'make: a C++ compiler is not installed: apt install g++' >&2; exit 1; }

$(STAMP): pyproject.toml constraints.txt
	@$(MAKE) --no-print-directory check-system
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	@touch $(STAMP)

$(SYNTH): $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[synth]'
	@touch $(SYNTH)

$(NOTES): $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[notebook]'
	@touch $(NOTES)

demo: $(STAMP)
	$(BIN)/systolith demo -o demo-out

test: $(STAMP)
	$(BIN)/python -m pytest -n $(WORKERS) -m 'not slow'

test-slow: $(SYNTH)
	@test -d /usr/share/datasets/fashion-mnist || \
	  echo 'make: the test of the accuracy is left out, for it needs: apt install dataset-fashion-mnist' >&2
	$(BIN)/python -m pytest -n $(WORKERS) -m slow
	$(BIN)/python tests/plant_faults.py --jobs $(WORKERS)

bench: $(STAMP)
	$(BIN)/python -m systolith.sw.bench -o docs/benchmarks.md

bench-slow: $(STAMP)
	$(BIN)/python -m systolith.sw.bench --slow -o docs/benchmarks.md

$(BESIDE)/installed:
	@$(MAKE) --no-print-directory check-system
	$(PYTHON) -m venv $(BESIDE)
	$(BESIDE)/bin/python -m pip install --quiet --disable-pip-version-check 'scalesim==3.0.0' 'numpy<2'
	@touch $(BESIDE)/installed

bench-scalesim: $(STAMP) $(BESIDE)/installed
	$(BIN)/python -m systolith.sw.bench_scalesim --scalesim $(BESIDE)/bin/python --jobs $(WORKERS) -o docs/benchmarks.md

notebooks: $(NOTES) $(SYNTH)
	$(BIN)/python notebooks/execute.py --check

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	MYPYPATH=.types $(BIN)/mypy $(TYPED)

fmax: $(SYNTH)
	$(BIN)/python -m systolith.sw.bench_clock --jobs $(WORKERS) -o docs/benchmarks.md

fmax-slow: $(SYNTH)
	$(BIN)/python -m systolith.sw.bench_clock --slow --jobs $(WORKERS) -o docs/benchmarks.md

boards: $(SYNTH)
	$(BIN)/python -m systolith.sw.bench_bitstreams -o docs/boards.md
	$(BIN)/python -m systolith.sw.bench_boards -o docs/benchmarks.md

clean:
	rm -rf $(VENV) $(BESIDE) demo-out build dist systolith.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find hw sw quant sim tests -name __pycache__ -type d -prune -exec rm -rf {} +
