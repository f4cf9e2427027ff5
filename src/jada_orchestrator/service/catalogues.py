"""The catalogue from its files, checked file by file and as a whole."""

from __future__ import annotations

from pathlib import Path

from jada_orchestrator.adapters.host.catalogue_files import load_catalogue
from jada_orchestrator.domain.catalogue import Catalogue
from jada_orchestrator.planning import faults_in_catalogue


def read_catalogue(folder: Path) -> Catalogue:
    """Return the catalogue in a folder.

    Raises: CatalogueError (`adapters.host.catalogue_files`), with every mistake, its file and line.
    """
    return load_catalogue(folder, audit=faults_in_catalogue)
