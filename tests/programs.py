"""Programs beside Python that some tests need. Tests skip where they are not installed, and fail where
`DARWIN_TEST_PROGRAMS=required` says that they are.
"""

import os
import shutil
from pathlib import Path

import pytest


def program(name: str) -> Path:
    """Its path."""
    found = shutil.which(name)
    if found is not None:
        return Path(found)
    missing = f"{name} is not installed (Debian's package has it)"
    if os.environ.get("DARWIN_TEST_PROGRAMS") == "required":
        pytest.fail(missing)
    pytest.skip(missing)
