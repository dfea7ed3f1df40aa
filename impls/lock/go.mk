# Refreshes the locked modules of a version written in Go.
# The toolchain is locked like the dependencies: a newer one that is installed is not used.

.PHONY: lock
lock: export GOTOOLCHAIN = $(shell sed -n 's/^toolchain //p' go.mod)
lock:
	go mod tidy
