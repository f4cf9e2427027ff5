"""The units: what must be in them on every version of systemd, and that the template differs only where it must."""

from __future__ import annotations

from pathlib import Path

SYSTEMD = Path(__file__).parents[3] / "deploy" / "systemd"
OF_AN_INSTANCE = (
    "Description=", "StateDirectory=", "RuntimeDirectory=", "ConfigurationDirectory=", "WorkingDirectory=",
    "Environment=JADA_", "EnvironmentFile=", "Alias=",
)  # fmt: skip


def lines(name: str) -> list[str]:
    """A unit's settings."""
    text = (SYSTEMD / name).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_what_old_versions_of_systemd_would_ignore_is_not_there() -> None:
    """Type=notify-reload runs as simple on systemd 252, and 2147483646 can never be set."""
    unit = lines("jada-orchestrator.service")
    assert "Type=notify" in unit
    assert "LimitNOFILE=65536:524288" in unit
    assert "RestartPreventExitStatus=2 78" in unit
    assert "Alias=jada-agent.service" in unit
    assert not [line for line in unit if "2147483646" in line]


def test_the_template_differs_only_where_instances_differ() -> None:
    """Hardening, limits and restarts are the same in both units."""

    def common(name: str) -> list[str]:
        return [line for line in lines(name) if not line.startswith(OF_AN_INSTANCE)]

    assert common("jada-orchestrator.service") == common("jada-orchestrator@.service")
