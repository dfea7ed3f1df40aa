# What all versions of this family have in common: the image for Node and, derived from it, the one with Chromium.

include ../../image.mk

all: chromium-image.json

# The tag gives BuildKit, which cannot start from an image id, a name for the image.
chromium-image.json: image.json chromium.Dockerfile
	@node=$$(sed 's/.*"sha256:\([0-9a-f]*\)".*/\1/' image.json) \
	  && docker tag sha256:$$node interop/js:$$node \
	  && id=$$($(call build,chromium.Dockerfile,--build-arg NODE_IMAGE=interop/js:$$node)) && $(call write,$@,$$id)

.PHONY: lock
lock:
	npm install --package-lock-only --omit-lockfile-registry-resolved=false
