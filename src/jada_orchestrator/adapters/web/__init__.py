"""Listeners: health over HTTP for machines, and the control socket for operators."""

from __future__ import annotations
