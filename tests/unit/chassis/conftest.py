"""What every test of the chassis may ask for."""

import io
import logging
from collections.abc import Generator

import pytest
import structlog

from services.chassis import logs


@pytest.fixture
def logged() -> Generator[io.StringIO, None, None]:
    """Everything that is logged meanwhile, as the service would write it."""
    root, written = logging.getLogger(), io.StringIO()
    handlers, level = root.handlers[:], root.level
    logs.configure("intake", "DEBUG", written)
    yield written
    structlog.reset_defaults()
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)
