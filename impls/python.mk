# What concerns all versions of a family written in Python; each version folder builds its own image. A family's
# Makefile sets, before it includes this:
#
#   TYPED    what mypy checks
#   IMPORTS  modules that TYPED takes its types from; without them there is nothing to check it with

VERSIONS := $(wildcard v*)
PYTHON   ?= python3
RUFF     ?= ruff
MYPY     ?= mypy

.PHONY: all
all:
	@for version in $(VERSIONS); do $(MAKE) -C $$version || exit; done

# With the tools this host has.
.PHONY: lint
lint:
	@if command -v $(RUFF) >/dev/null; then $(RUFF) check . && $(RUFF) format --check .; \
	 else echo 'lint: no ruff, not checked' >&2; fi
	@if command -v $(MYPY) >/dev/null && $(PYTHON) -c 'import $(or $(IMPORTS),sys)' 2>/dev/null; \
	 then $(MYPY) --python-executable "$$(command -v $(PYTHON))" $(TYPED); \
	 else echo 'lint: no mypy, or $(PYTHON) lacks $(IMPORTS), types not checked' >&2; fi

.PHONY: clean
clean:
	@for version in $(VERSIONS); do $(MAKE) -C $$version clean || exit; done
