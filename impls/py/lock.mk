# Refreshes a folder's locked requirements; wants uv, which PyPI has.
# Universal, so that one lock serves the image's Python and any other the library supports.
UV ?= uv

.PHONY: lock
lock:
	@for requirements in *requirements.in; do \
	   UV_CUSTOM_COMPILE_COMMAND='make lock' $(UV) pip compile --quiet --upgrade --universal \
	     --python-version 3.10 --generate-hashes $$requirements -o $${requirements%.in}.txt || exit; \
	 done
