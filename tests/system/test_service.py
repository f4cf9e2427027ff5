"""The service under a real systemd: start, bookings, reload, watchdog, crash, drain, credentials, journal."""

from __future__ import annotations

import json
import shlex

import pytest

from tests.system.conftest import UNIT
from tests.system.host import Host

pytestmark = pytest.mark.timeout(180)

WISH = "Two of us, customer c-118, Boston to Lisbon 3-10 May, a hotel, under $6,000 all in"
WITH_STAND_IN = "set -a; . /etc/stand.env; set +a;"


def submit(host: Host, request_id: str, *, wait: bool = True) -> None:
    """Put a booking request on the queue, and perhaps wait for its end."""
    host.ok(
        f"{WITH_STAND_IN} JADA_STORE=sqlite:///var/lib/jada/journal.db "
        f"jada submit {shlex.quote(WISH)} --request-id {request_id} {'--wait' if wait else ''}"
    )


def shown(host: Host, request_id: str) -> dict[str, object]:
    """What `jada show` knows of a booking."""
    text = host.ok(f"jada show {request_id} --json --store sqlite:///var/lib/jada/journal.db")
    found: dict[str, object] = json.loads(text)
    return found


def wait_for(host: Host, request_id: str, status: str) -> None:
    """Wait until a booking has a status."""
    query = f"jada show {request_id} --json --store sqlite:///var/lib/jada/journal.db"
    host.until(f'{query} 2>/dev/null | grep -q \'^  "status": "{status}"\'')


def prop(host: Host, name: str) -> str:
    """A property of the unit."""
    return host.ok(f"systemctl show -P {name} {UNIT}")


def told(host: Host, *matches: str) -> list[dict[str, str]]:
    """The journal's entries with these fields."""
    lines = host.ok(f"journalctl -o json --no-pager {' '.join(map(shlex.quote, matches))}").splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


def test_the_unit_is_sound_and_tight(host: Host) -> None:
    """systemd-analyze verify says nothing about either unit, and the exposure is 1.1 at most."""
    assert host.ok(f"systemd-analyze verify {UNIT}.service {UNIT}@one.service") == ""
    for unit in (f"{UNIT}.service", f"{UNIT}@one.service"):
        verdict = host.ok(f"systemd-analyze security --no-pager {unit} | tail -n 1")
        assert float(verdict.split(":")[1].split()[0]) <= 1.1, verdict


def test_start_means_ready_and_the_status_says_what_it_does(service: Host) -> None:
    """When `systemctl start` returns, the daemon answers, and the status text has its numbers."""
    assert prop(service, "ActiveState") == "active"
    assert "curl" in service.ok("command -v curl")
    assert service.ok("curl -sf http://127.0.0.1:9620/readyz") == "ok"
    text = prop(service, "StatusText")
    assert "0 running, 0 waiting for approval" in text
    assert "descriptors" in text
    assert json.loads(service.ok("jada status --json"))["phase"] == "ready"


def test_it_runs_as_its_own_user_with_the_limit_that_it_raised(service: Host) -> None:
    """The process is jada's, without capabilities, and its soft limit of files is the hard one."""
    pid = prop(service, "MainPID")
    assert service.ok(f"ps -o user= -p {pid}").strip() == "jada"
    limits = service.ok(f"grep 'Max open files' /proc/{pid}/limits").split()
    assert limits[3] == limits[4]
    assert "0000000000000000" in service.ok(f"grep CapEff /proc/{pid}/status")


def test_credentials_are_readable_by_the_service_only(service: Host) -> None:
    """The key is in no environment and in no file that others read; the service's copy is its own."""
    pid = prop(service, "MainPID")
    folder = service.ok(f"tr '\\0' '\\n' </proc/{pid}/environ | sed -n 's/^CREDENTIALS_DIRECTORY=//p'")
    assert service.ok(f"stat -c '%a %U' {folder}/anthropic_api_key") == "400 jada"
    assert service.run(f"setpriv --reuid=nobody --clear-groups cat {folder}/anthropic_api_key").status != 0
    assert service.run("setpriv --reuid=nobody --clear-groups cat /etc/credstore/anthropic_api_key").status != 0
    assert "sandbox-key" not in service.ok(f"tr '\\0' '\\n' </proc/{pid}/environ")


def test_a_booking_runs_and_its_story_is_in_the_journal(service: Host) -> None:
    """A request is booked through the stand-in; its fields, ids and explanations are in the journal."""
    submit(service, "web-1")
    assert shown(service, "web-1")["status"] == "completed"
    story = told(service, f"_SYSTEMD_UNIT={UNIT}.service", "JADA_REQUEST_ID=web-1")
    events = [entry["JADA_EVENT"] for entry in story]
    assert events[0] == "workflow.accepted"
    assert events[-1] == "workflow.ended"
    assert {"plan.adopted", "task.succeeded"} <= set(events)
    succeeded = next(entry for entry in story if entry["JADA_EVENT"] == "task.succeeded")
    assert {"JADA_TASK_ID", "JADA_AGENT", "JADA_WORKFLOW_ID", "JADA_TENANT", "MESSAGE_ID"} <= succeeded.keys()
    assert succeeded["PRIORITY"] == "6"
    explained = service.ok("journalctl -x --no-pager JADA_REQUEST_ID=web-1 JADA_EVENT=workflow.ended")
    assert "jada why web-1" in explained
    service.until(f"systemctl show -P StatusText {UNIT} | grep -vq '\\$0.00 today'")


def test_a_reload_takes_a_new_model_for_the_next_booking(service: Host) -> None:
    """`systemctl reload` returns when the new model is in force; what began before keeps its own."""
    submit(service, "web-before")
    service.write("/etc/jada/settings.json", '{"model": "claude-haiku-4-5"}')
    service.ok(f"systemctl reload {UNIT}")
    submit(service, "web-after")
    assert shown(service, "web-before")["model"] == "claude-sonnet-4-6"
    assert shown(service, "web-after")["model"] == "claude-haiku-4-5"
    assert prop(service, "NRestarts") == "0"


def test_a_broken_reload_fails_and_changes_nothing(service: Host) -> None:
    """`systemctl reload` fails on a mistake, names every one in the journal, and the daemon goes on as it was."""
    pid = prop(service, "MainPID")
    service.write("/etc/jada/settings.json", '{"model": "claude-nobody-knows"}')
    assert "does not know claude-nobody-knows" in service.run("jada reload").text
    service.write("/etc/jada/settings.json", '{"model": 7, "receivers": 1000}')
    assert service.run(f"systemctl reload {UNIT}").status != 0
    said = service.ok(f"journalctl -u {UNIT} -p err -n 1 -o cat --no-pager JADA_EVENT=daemon.reload_refused")
    assert "model" in said
    assert "receivers" in said
    assert prop(service, "MainPID") == pid
    assert json.loads(service.ok("jada status --json --socket /run/jada/control.sock"))["model"] == "claude-sonnet-4-6"
    service.ok(f"kill -HUP {pid}")
    service.until("[ $(journalctl -o cat JADA_EVENT=daemon.reload_refused | wc -l) -ge 3 ]")


def test_after_a_kill_bookings_go_on_and_nothing_is_done_twice(service: Host) -> None:
    """SIGKILL in the middle of a booking: systemd starts it again, it recovers, and the books stay right."""
    service.ok(f"{WITH_STAND_IN} jada sandbox fault flights.hold slow 3 --request web-kill")
    submit(service, "web-kill", wait=False)
    service.until("journalctl -o cat JADA_REQUEST_ID=web-kill JADA_EVENT=plan.adopted | grep -q .")
    service.ok(f"kill -KILL {prop(service, 'MainPID')}")
    wait_for(service, "web-kill", "completed")  # an answer that a poll of the killed process took comes after 60 s
    assert prop(service, "NRestarts") == "1"
    assert "1 unfinished workflows go on" in service.ok("journalctl -o cat JADA_EVENT=daemon.recovered -n 1")
    service.ok(f"{WITH_STAND_IN} jada sandbox books --request web-kill")


def test_a_stop_waits_for_what_is_in_flight(service: Host) -> None:
    """`systemctl stop` drains: the call that runs is seen to its end, and the exit is clean."""
    service.ok(f"{WITH_STAND_IN} jada sandbox fault flights.search slow 4 --request web-drain")
    submit(service, "web-drain", wait=False)
    # The stand-in may have given the request to the long poll of a daemon that was killed: it comes again after 60 s.
    service.until("journalctl -o cat JADA_REQUEST_ID=web-drain JADA_EVENT=plan.adopted | grep -q .", 100)
    service.ok(f"systemctl stop {UNIT}")
    assert prop(service, "Result") == "success"
    assert prop(service, "ExecMainStatus") == "0"
    events = [entry["JADA_EVENT"] for entry in told(service, "SYSLOG_IDENTIFIER=jada") if "JADA_EVENT" in entry]
    assert events[-1] == "daemon.drained"


def test_a_blocked_loop_is_restarted_and_its_stack_is_in_the_journal(service: Host) -> None:
    """The watchdog is fed by the turn loop: one that stands still is killed, named, and started again."""
    service.write(
        "/usr/local/lib/blockable.py",
        "import signal, time\n"
        "def stand_still(*_):\n    time.sleep(600)\n"
        "signal.signal(signal.SIGUSR1, stand_still)\n"
        "from jada_orchestrator.cli.main import main\n"
        "raise SystemExit(main(['run']))\n",
    )
    service.write(
        f"/etc/systemd/system/{UNIT}.service.d/blockable.conf",
        "[Service]\nExecStart=\nExecStart=/opt/jada/current/bin/python /usr/local/lib/blockable.py\nWatchdogSec=5\n",
    )
    service.ok(f"chmod a+r /usr/local/lib/blockable.py; systemctl daemon-reload; systemctl restart {UNIT}")
    service.ok(f"kill -USR1 {prop(service, 'MainPID')}")
    service.until(f"[ $(systemctl show -P NRestarts {UNIT}) -ge 1 ] && systemctl is-active -q {UNIT}")
    journal = service.ok(f"journalctl -u {UNIT} -o cat --no-pager -n 200")
    assert "Watchdog timeout" in journal
    assert "in stand_still" in journal


def test_a_broken_configuration_is_not_started_again_and_again(service: Host) -> None:
    """A mistake at start ends with 78 (EX_CONFIG), which the unit does not restart."""
    service.write("/etc/jada/settings.json", '{"model": 7}')
    assert service.run(f"systemctl restart {UNIT}").status != 0
    assert prop(service, "ExecMainStatus") in {"78", "2"}
    assert prop(service, "NRestarts") == "0"
    assert prop(service, "ActiveState") == "failed"


def test_several_instances_run_beside_each_other(service: Host) -> None:
    """The template unit has its own store, sockets and reply queue for each name."""
    service.write("/etc/jada/one/settings.json", '{"model": "claude-sonnet-4-6"}')
    service.ok(f"sed -i /REPLY_QUEUE/d /etc/jada/environment; systemctl restart {UNIT}")
    source = ". /etc/stand.env; export AWS_ENDPOINT_URL AWS_REGION AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY;"
    create = "import botocore.session as s;s.get_session().create_client('sqs').create_queue(QueueName='%s')"
    for queue in ("jada-replies-sandbox", "jada-replies-sandbox-one"):
        python = shlex.quote(create % queue)
        service.ok(f"{source} AWS_DEFAULT_REGION=$AWS_REGION /opt/jada-env/bin/python -c {python}")
    service.ok(f"systemctl start {UNIT}@one")
    assert service.ok("jada status --json --socket /run/jada-one/control.sock | grep -c journal.db") == "1"
    assert service.ok("curl -sf --unix-socket /run/jada-one/health.sock http://jada/readyz") == "ok"
    assert prop(service, "ActiveState") == "active"
    service.ok(f"systemctl stop {UNIT}@one")
