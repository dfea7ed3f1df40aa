# How a version folder becomes an image. Included by impls/<family>/<version>/Makefile.
#
#   make             builds this version's image and writes image.json: {"imageID": "sha256:…"}
#   make lock        refreshes the locked dependencies, where the family defines it
#   make clean       forgets image.json, the image itself stays
#
# The folder is sent with its links followed, so sources shared by all versions of a family are links
# here and files in exactly one place. Works with the classic builder and with BuildKit.
#
# What several families share, such as how a program in one language is built, stands before the family's own Dockerfile:
# `head.Dockerfile`, a link to impls/<language>.Dockerfile or impls/debian.Dockerfile.

# A day of Debian's archive, such as 20261101T000000Z: two builds of it take the same packages (impls/base/Makefile).
DEBIAN_SNAPSHOT ?=
BASE       ?= interop/base:trixie$(DEBIAN_SNAPSHOT:%=-%)
BUILD_BASE ?= interop/build-base:trixie$(DEBIAN_SNAPSHOT:%=-%)
BUILD_ARGS ?=
# The content key of this folder, given by `nox -s build-images`: an image tells what it was built as under any name.
KEY        ?=

# What compiled a program is not in its image: which packages that were is, so that two images can be told apart.
#
# $(call build,Dockerfile,arguments): build from this folder and print the image id; what the builder says goes to
# stderr. What is sent is a copy, for its modes: they are those of the checkout's umask, and images must be equal and
# their files readable whatever that is.
packages := COPY --from=build /var/lib/dpkg/status /usr/share/interop/build-packages
define build
sent=$$(mktemp -d) && trap 'rm -rf "$$sent" "$$sent.id"' EXIT && trap 'exit 1' HUP INT TERM \
  && tar -chf - --exclude='*image.json' --exclude=build.log --exclude='./node_modules' --exclude='./target' . \
   | tar -xf - -C "$$sent" \
  && cat $(wildcard head.Dockerfile) $(1) >"$$sent/whole.Dockerfile" \
  && { ! grep -q ' AS build$$' "$$sent/whole.Dockerfile" || printf '%s\n' '$(packages)' >>"$$sent/whole.Dockerfile"; } \
  && chmod -R u=rwX,go=rX "$$sent" \
  && tar -cf - -C "$$sent" . \
   | docker build --iidfile "$$sent.id" -f whole.Dockerfile --build-arg BASE=$(BASE) --build-arg BUILD_BASE=$(BUILD_BASE) \
     $(KEY:%=--label org.interop-matrix.key=%/$@) $(BUILD_ARGS) $(2) - >&2 \
  && cat "$$sent.id"
endef

# $(call write,file,id): image.json appears whole or not at all.
define write
case "$(2)" in sha256:*) printf '{"imageID": "%s"}\n' "$(2)" >$(1).tmp && mv $(1).tmp $(1);; *) exit 1;; esac
endef

SOURCES := $(shell find -L . -type f ! -name '*image.json' ! -name build.log ! -path './node_modules/*' ! -path './target/*')

.PHONY: all clean
all: image.json

image.json: $(SOURCES)
	@id=$$($(call build,Dockerfile)) && $(call write,$@,$$id)

clean:
	rm -f *image.json
