"""The wire: the messages of the public contract, read without ever raising and written without ever guessing."""

from __future__ import annotations
