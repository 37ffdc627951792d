# Two commands do everything on a fresh machine with Python 3.11: `make demo`, `make test`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.installed
MEDIA ?=

# Tests start hundreds of processes: without bytecode each of them would compile the package anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test test-all lint format bench clean

demo: $(READY)  ## from films to a picture; MEDIA=/path/to/films for your own
	$(BIN)/mediafm demo $(if $(MEDIA),"$(MEDIA)")

test: lint  ## lint, types, import rules, and the tests that take seconds
	$(BIN)/pytest -m "not slow" -n 2 --dist loadfile

test-all: $(READY)  ## the tests that `make test` leaves out because they take minutes
	$(BIN)/pytest -m slow

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY)  ## needs films: MEDIA=film.mp4
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[bench]'
	$(BIN)/python benchmarks/ingest.py "$(MEDIA)"

clean:  ## the environment; what demo made stays
	rm -rf $(VENV)

$(READY): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || (echo "Python 3.11 is missing: apt-get install python3 python3-venv"; exit 1)
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "mediafm needs Python 3.11 or newer; say which with make PYTHON=python3.11")'
	@$(PYTHON) -c 'import venv, ensurepip' || (echo "Python's venv module is missing: apt-get install python3-venv"; exit 1)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[embedded,hf,api,asr,ocr,otio,serve,tensorboard,dev]'
	touch $(READY)
