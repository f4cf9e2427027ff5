"""`deploy/install.sh`: dry, twice, upgraded, undone by itself, rolled back, removed."""

from __future__ import annotations

from collections.abc import Iterator
from sys import prefix

import pytest

from tests.system.conftest import UNIT, prepare
from tests.system.host import CHECKOUT, ENVIRONMENT, Host, why_not

pytestmark = pytest.mark.timeout(240)

INSTALL = f"{CHECKOUT}/deploy/install.sh"
NEXT = "/opt/jada-next"


@pytest.fixture(scope="module")
def bare() -> Iterator[Host]:
    """A host without the program; a second environment stands for the next version."""
    reason = why_not()
    if reason is not None:
        pytest.skip(f"system tests boot a systemd of their own: {reason}")
    with Host("--venv", f"{prefix}:{NEXT}") as booted:
        yield booted


def state(host: Host) -> str:
    """Every file that the installation could have touched, with its content's digest."""
    places = "/etc/jada /etc/credstore /etc/systemd/system /etc/sysusers.d /usr/local /opt/jada /etc/passwd"
    return host.ok(
        f"find {places} -type f -exec sha256sum {{}} + 2>/dev/null | sort; find {places} -type l -ls 2>/dev/null; true"
    )


def a_dry_run_says_everything_and_does_nothing(bare: Host) -> None:
    """--dry-run names each step and leaves the host as it was."""
    before = state(bare)
    said = bare.ok(f"{INSTALL} --dry-run --venv {ENVIRONMENT}")
    assert "  + systemd-sysusers" in said
    assert "jada-orchestrator.service" in said
    assert "Nothing was done" in said
    assert state(bare) == before


def the_second_installation_changes_nothing(bare: Host) -> None:
    """Installed twice is installed once: no step is taken, no file differs."""
    prepare(bare)
    before = state(bare)
    said = bare.ok(f"{INSTALL} --venv {ENVIRONMENT} --no-start")
    assert "  + " not in said
    assert state(bare) == before
    assert bare.ok("jada --version").startswith("jada ")


def settings_of_the_operator_are_kept(bare: Host) -> None:
    """Installing again never overwrites what an operator has changed."""
    bare.write("/etc/jada/settings.json", '{"model": "claude-haiku-4-5"}')
    bare.ok(f"{INSTALL} --venv {ENVIRONMENT} --no-start")
    assert "haiku" in bare.ok("cat /etc/jada/settings.json")


def an_upgrade_drains_keeps_the_store_and_runs(bare: Host) -> None:
    """The running version is drained, its store copied, the next one started; the unit is active all the same."""
    bare.ok(f"systemctl start {UNIT}")
    said = bare.ok(f"{INSTALL} --venv {NEXT}", 90)
    assert "Draining" in said
    assert bare.ok(f"systemctl is-active {UNIT}") == "active"
    assert NEXT in bare.ok(
        f"readlink -f /proc/$(systemctl show -P MainPID {UNIT})/cwd; readlink -f /opt/jada/current/bin"
    )
    bare.ok("[ -e /var/lib/jada/journal.db.before-upgrade ]")


def a_rollback_goes_back_to_the_release_before(bare: Host) -> None:
    """`install.sh rollback` runs the version before, and a second one the later version again."""
    bare.ok(f"{INSTALL} rollback", 90)
    assert bare.ok("readlink -f /opt/jada/current/bin") == f"{ENVIRONMENT}/bin"
    assert bare.ok(f"systemctl is-active {UNIT}") == "active"


def an_upgrade_that_does_not_become_ready_is_undone(bare: Host) -> None:
    """A version that cannot start costs an interruption, not the service: the one before runs again."""
    bare.ok(f"cp -a {NEXT} /opt/jada-broken && printf '#!/bin/sh\\nexit 1\\n' >/opt/jada-broken/bin/jada")
    said = bare.run(f"{INSTALL} --venv /opt/jada-broken", 90)
    assert said.status != 0
    assert "the upgrade was undone" in said.text
    assert bare.ok("readlink -f /opt/jada/current/bin") == f"{ENVIRONMENT}/bin"
    assert bare.ok(f"systemctl is-active {UNIT}") == "active"


def uninstalling_keeps_what_is_the_operators_until_told_otherwise(bare: Host) -> None:
    """Uninstall removes the program and leaves settings and store; --purge removes those, and the user."""
    bare.ok(f"{INSTALL} uninstall")
    assert bare.run(f"systemctl cat {UNIT}").status != 0
    assert bare.run("command -v jada").status != 0
    bare.ok("[ -e /etc/jada/settings.json ] && [ -e /var/lib/jada/journal.db ]")
    bare.ok(f"{INSTALL} uninstall --purge")
    assert bare.run("[ -e /etc/jada ] || [ -e /var/lib/jada ] || getent passwd jada").status != 0


@pytest.mark.timeout(600)
def test_the_life_of_an_installation(bare: Host) -> None:
    """Each step of `install.sh`, from a dry run to the last trace gone, leaves the host as its step says.

    Each step goes on from the one before, so they are one test: apart, they could be handed to different workers.
    """
    a_dry_run_says_everything_and_does_nothing(bare)
    the_second_installation_changes_nothing(bare)
    settings_of_the_operator_are_kept(bare)
    an_upgrade_drains_keeps_the_store_and_runs(bare)
    a_rollback_goes_back_to_the_release_before(bare)
    an_upgrade_that_does_not_become_ready_is_undone(bare)
    uninstalling_keeps_what_is_the_operators_until_told_otherwise(bare)
