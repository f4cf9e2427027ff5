"""The embedded default: stand-ins that let everything run with no account and no key."""
