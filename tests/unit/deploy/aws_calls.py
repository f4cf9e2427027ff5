"""Every operation of AWS that the program's source asks for, read with `ast`: nothing is run."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import botocore.session
from botocore import xform_name

SOURCE: Final = Path(__file__).parents[3] / "src" / "jada_orchestrator"
SERVICES: Final = ("sqs", "lambda", "ssm", "sts", "lightsail", "ec2", "s3")
"""The services that there are clients of; a service's name is given to `create_client` as it stands here."""
_HELD_BY: Final = {"queues": "sqs", "functions": "lambda", "parameters": "ssm", "identity": "sts"}
_PERMISSIONS: Final = {
    "lambda:Invoke": "lambda:InvokeFunction",
    "sts:GetCallerIdentity": None,
    "s3:HeadBucket": "s3:ListBucket",
    "s3:GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
}
"""Operations whose permission has another name, or that need none."""


@cache
def operations() -> dict[str, tuple[str, ...]]:
    """Permissions by the name of a client's method; the same name may belong to several services."""
    session = botocore.session.get_session()
    found: dict[str, list[str]] = {}
    for service in SERVICES:
        for operation in session.get_service_model(service).operation_names:
            found.setdefault(xform_name(operation), []).append(f"{service}:{operation}")
    return {name: tuple(each) for name, each in found.items()}


def permission_of(operation: str) -> str | None:
    """The permission that an operation needs; a batch needs that of one."""
    return _PERMISSIONS.get(operation, operation.removesuffix("Batch"))


def services_named() -> set[str]:
    """Every service that the source makes a client of, by a literal name."""
    return {
        each.value
        for path in SOURCE.rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call)
        for each in call.args[:1]
        if isinstance(each, ast.Constant) and each.value in _all_services()
        and ast.unparse(call.func).rpartition(".")[2] in {"create_client", "creating", "client", "_client"}
    }  # fmt: skip


@cache
def _all_services() -> frozenset[str]:
    return frozenset(botocore.session.get_session().get_available_services())


def permissions(*folders: str) -> set[str]:
    """What the modules below these folders need."""
    return {
        permission
        for folder in folders
        for path in sorted((SOURCE / folder).rglob("*.py"))
        for operation in _asked_in(path)
        if (permission := permission_of(operation)) is not None
    }


def _asked_in(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        # `client.delete_message_batch(...)`: AWS takes arguments by name alone, so anything else is no call of it.
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.keywords and not node.args:
            candidates = operations().get(node.func.attr, ())
            if len(candidates) > 1:
                raise AssertionError(f"{path.name}:{node.lineno}: {node.func.attr} may be {candidates}")
            yield from candidates
