# Refreshes the locked requirements of a version written in Python; takes uv, which is fetched where there is none.
# Universal from one Python on, so that one lock serves the image's and any other that the library supports.
RUN_UV        := $(dir $(lastword $(MAKEFILE_LIST)))../run-uv
UV            ?= $(RUN_UV)
OLDEST_PYTHON ?= 3.10

.PHONY: lock
lock:
	@for requirements in *requirements.in; do \
	   UV_CUSTOM_COMPILE_COMMAND='make lock' $(UV) pip compile --quiet --upgrade --universal \
	     --python-version $(OLDEST_PYTHON) --generate-hashes $$requirements -o $${requirements%.in}.txt || exit; \
	 done
