"""The catalogue from its files, checked file by file and as a whole."""

from __future__ import annotations

from pathlib import Path

from jada_orchestrator.adapters.host.catalogue_files import load_catalogue
from jada_orchestrator.domain.catalogue import Catalogue
from jada_orchestrator.domain.faults import Fault
from jada_orchestrator.planning import faults_in_catalogue


def read_catalogue(folder: Path) -> Catalogue:
    """Return the catalogue in a folder.

    Raises: CatalogueError (`adapters.host.catalogue_files`), with every mistake, its file and line.
    """
    return load_catalogue(folder, audit=faults_in_catalogue)


def read_catalogue_as_it_is(folder: Path) -> tuple[Catalogue, tuple[Fault, ...]]:
    """Return the catalogue in a folder, and what is wrong with it as a whole: for looking at what would come of that.

    Raises: CatalogueError, when a file of it cannot be read.
    """
    catalogue = load_catalogue(folder, audit=lambda _: ())
    return catalogue, faults_in_catalogue(catalogue)
