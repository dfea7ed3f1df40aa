# Refreshes a version's locked requirements; takes uv, which is fetched where there is none.
# Universal from the oldest Python this aioquic supports, so that tests run on the host's Python with the same lock.
RUN_UV := $(dir $(lastword $(MAKEFILE_LIST)))../run-uv
UV     ?= $(RUN_UV)

.PHONY: lock
lock:
	UV_CUSTOM_COMPILE_COMMAND='make lock' $(UV) pip compile --quiet --upgrade --universal \
	  --python-version 3.11 --generate-hashes requirements.in -o requirements.txt
