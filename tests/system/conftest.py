"""One booted host for the tests of a file: the stand-in for AWS and the model in it, and the program installed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.system.host import CHECKOUT, ENVIRONMENT, Host, why_not

UNIT = "jada-orchestrator"


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    """A host on which `install.sh` has put the program, with the stand-in beside it; the service is not started."""
    reason = why_not()
    if reason is not None:
        pytest.skip(f"system tests boot a systemd of their own: {reason}")
    with Host("--venv", f"{__import__('sys').prefix}:/opt/jada-next") as booted:
        prepare(booted)
        yield booted


def prepare(host: Host) -> None:
    """Install, start the stand-in, and give the service its settings and credentials."""
    stand_in = f"{ENVIRONMENT}/bin/jada sandbox --state /var/lib/stand --env-file /etc/stand.env"
    host.ok(f"systemd-run -q --unit=stand-in -p StateDirectory=stand -p Environment=HOME=/var/lib/stand {stand_in}")
    host.ok(f"{CHECKOUT}/deploy/install.sh --venv {ENVIRONMENT} --no-start")
    host.until("[ -s /etc/stand.env ]")
    host.ok("grep -E 'REGION|ENDPOINT|BASE_URL|QUEUE' /etc/stand.env >/etc/jada/environment")
    host.ok(
        ". /etc/stand.env; umask 077; printf %s $ANTHROPIC_API_KEY >/etc/credstore/anthropic_api_key;"
        "printf '[default]\\naws_access_key_id=%s\\naws_secret_access_key=%s\\n'"
        " $AWS_ACCESS_KEY_ID $AWS_SECRET_ACCESS_KEY >/etc/credstore/aws_credentials"
    )


@pytest.fixture
def service(host: Host) -> Host:
    """The host with the service running as it was installed, whatever the test before did to it.

    It is not restarted without need: a long poll of the process before it lives on in the stand-in for 20 seconds, and
    the request that such a poll swallows comes again only when its visibility timeout is over.
    """
    host.write("/etc/jada/settings.json", '{"model": "claude-sonnet-4-6"}')
    if host.run(f"[ ! -e /etc/systemd/system/{UNIT}.service.d ] && systemctl reload {UNIT}").status:
        host.ok(
            f"rm -rf /etc/systemd/system/{UNIT}.service.d; systemctl daemon-reload; systemctl reset-failed; "
            f"systemctl restart {UNIT}"
        )
    return host
