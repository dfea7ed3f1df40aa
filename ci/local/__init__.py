"""Versions as ordinary processes: toolchains from package registries, builds kept in the user's cache folder."""
