"""The host: its clock, its log, whoever watches over the process, and the catalogue's files."""

from __future__ import annotations
