# Everything here is short for a nox session or for `make` in one folder under impls/.

NOX ?= .venv/bin/nox

.DEFAULT_GOAL := help
.PHONY: help interop check images base lock schemas clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-12s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)

interop: $(NOX) ## the whole job: build, run, merge, dashboard
	$(NOX) -s interop

check: $(NOX) ## lint, types and tests
	$(NOX)

images: $(NOX) ## build or fetch all images; one alone: make -C impls/go/v0.51
	$(NOX) -s build-images

base: ## the two base images that all others are built from
	$(MAKE) -C impls/base

lock: $(NOX) ## refresh the locked dependencies, of this tool and of every version that locks any
	$(NOX) -s lock
	for folder in $(dir $(wildcard impls/*/v*/Makefile)); do \
	  ! $(MAKE) -n -C $$folder lock >/dev/null 2>&1 || $(MAKE) -C $$folder lock || exit; \
	done

schemas: $(NOX) ## write the JSON Schemas in docs/ anew
	$(NOX) -s schemas

clean: ## forget what was built; images stay in the engine
	rm -f impls/*/*/*image.json impls/*/*/build.log

$(NOX):
	python3 -m venv .venv
	.venv/bin/python -m pip install --quiet nox
