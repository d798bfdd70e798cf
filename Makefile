# A fresh clone needs Python, git and make; everything else goes into a virtual environment here.
#   make run PYTHON=python3.12      another interpreter
#   make test JOBS=1                one test at a time; most of them wait, so there are two a CPU
PYTHON  ?= python3
VENV    ?= .venv
CONFIG  ?= conf/server.ini
JOBS    ?= $(shell echo $$((2 * $$(nproc))))
PYTEST  := $(VENV)/bin/python -m pytest
address  = $(shell sed -n 's/^listen *= *\([^, ]*\).*/\1/p' $(CONFIG))

# The tests start several hundred servers, which compile us once and not each time, whatever the environment says.
unexport PYTHONDONTWRITEBYTECODE

.DELETE_ON_ERROR:
.PHONY: help run test lint types system browser bench clean

help:                   ## this list (the default)
	@sed -n 's/^\([a-z]*\):.*## */  make \1\t/p' Makefile | expand -t 16

run: $(VENV)/installed  ## serve conf/server.ini here, in the foreground
	@echo 'Serving http://$(address)/   log: tail -f var/log/access.log   Ctrl-C ends it'
	@exec $(VENV)/bin/forkserver run $(CONFIG)

test: $(VENV)/tools     ## all tests that need neither root nor a browser
	@$(PYTEST) -n $(JOBS) --dist worksteal -m 'not browser and not system' $(ARGS)

lint: $(VENV)/tools     ## ruff: rules and format
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .

types: $(VENV)/tools    ## mypy, strict
	@$(VENV)/bin/mypy

browser: $(VENV)/tools  ## the demo page and Django's admin in headless Chromium
	@$(PYTEST) -m browser $(ARGS) tests/browser

system: $(VENV)/tools   ## the unit in a container booted with systemd, proxies in front, wrk as clients; needs root
	@$(PYTEST) -m system $(ARGS)

bench: $(VENV)/tools    ## compare with the servers installed on this machine
	@$(VENV)/bin/python -m benchmarks $(ARGS)

clean:                  ## remove everything that make made
	@rm -rf $(VENV) build dist var *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps are younger than setup.cfg while what it asks for is installed.
$(VENV)/installed: setup.cfg pyproject.toml | $(VENV)/bin/python
	@$(VENV)/bin/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/tools: setup.cfg pyproject.toml | $(VENV)/bin/python
	@$(VENV)/bin/python -m pip install --quiet --editable '.[test]'
	@touch $(VENV)/installed $@

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo 'forkserver needs Python 3.10 or later: make PYTHON=python3.12 …' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo '$(PYTHON) cannot make virtual environments; on Debian: apt-get install python3-venv' >&2; exit 1; }
	@echo 'Making $(VENV) with $(PYTHON) …'
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }
