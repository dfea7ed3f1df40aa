# Refreshes a folder's locked requirements; takes uv, which is fetched where there is none.
# Universal, so that one lock serves the image's Python and any other the library supports.
RUN_UV := $(dir $(lastword $(MAKEFILE_LIST)))../run-uv
UV     ?= $(RUN_UV)

.PHONY: lock
lock:
	@for requirements in *requirements.in; do \
	   UV_CUSTOM_COMPILE_COMMAND='make lock' $(UV) pip compile --quiet --upgrade --universal \
	     --python-version 3.10 --generate-hashes $$requirements -o $${requirements%.in}.txt || exit; \
	 done
