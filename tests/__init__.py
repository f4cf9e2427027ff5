"""The tests: `unit` mirrors src; each other folder is one way of testing, described in CONTRIBUTING.md."""
