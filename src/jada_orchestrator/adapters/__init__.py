"""Adapters: one outside thing each, and never one another."""
