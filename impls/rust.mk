# What concerns all versions of a family written in Rust: one source, but the lint has to hold against each. An image is built in the version's own folder.

VERSIONS := $(sort $(wildcard v*))

.PHONY: lint test $(VERSIONS)

lint: $(VERSIONS)
$(VERSIONS):
	@cargo clippy --version >/dev/null 2>&1 || { echo '$(notdir $(CURDIR)): no cargo with clippy that runs here, not linted' >&2; exit 0; }; \
	cd $@ && cargo fmt --check && cargo clippy --locked --all-targets -- -D warnings

test:
	cd $(lastword $(VERSIONS)) && cargo test --locked
