# What concerns all versions of a family written in Go. An image is built in the version's own folder.

VERSIONS := $(wildcard v*)

.PHONY: lint
lint:
	@if ! command -v go >/dev/null; then echo 'lint: skipped, there is no go here'; exit 0; fi; \
	unformatted=$$(gofmt -l .) && { [ -z "$$unformatted" ] || { echo "lint: gofmt wants: $$unformatted" >&2; exit 1; }; } && \
	for version in $(VERSIONS); do (cd $$version && go vet ./...) || exit 1; done

.PHONY: test
test:
	for version in $(VERSIONS); do (cd $$version && go test ./...) || exit 1; done
