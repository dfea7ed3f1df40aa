"""A plugin of pytest: what Windows lacks is not there, so that what is to work there is tried here as well."""

from __future__ import annotations

import os
import sys

for module in ("fcntl", "resource", "termios"):
    sys.modules[module] = None  # type: ignore[assignment]
for name in ("fchmod", "fchown", "mkfifo", "pread", "O_NONBLOCK", "O_CLOEXEC"):
    if hasattr(os, name):
        delattr(os, name)
