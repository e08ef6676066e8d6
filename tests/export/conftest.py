"""What all tests of exports share."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def _without_waiting_for_disks(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test here pulls the plug, and there are thousands of small files."""
    monkeypatch.setattr(os, "fsync", lambda _: None)
