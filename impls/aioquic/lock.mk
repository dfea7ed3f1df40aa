# Refreshes a version's locked requirements; wants uv, which PyPI has.
# Universal from the oldest Python this aioquic supports, so that tests run on the host's Python with the same lock.
UV ?= uv

.PHONY: lock
lock:
	UV_CUSTOM_COMPILE_COMMAND='make lock' $(UV) pip compile --quiet --upgrade --universal \
	  --python-version 3.11 --generate-hashes requirements.in -o requirements.txt
