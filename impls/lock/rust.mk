# Refreshes the locked crates of a version written in Rust.

.PHONY: lock
lock:
	cargo update
