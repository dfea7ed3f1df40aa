# What concerns all versions of a family whose endpoint is shell around a packaged program. An image is built in the
# version's own folder.

.PHONY: lint
lint:
	@if command -v shellcheck >/dev/null; then shellcheck *.sh; else echo 'lint: skipped, there is no shellcheck here'; fi
