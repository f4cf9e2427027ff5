#!/bin/bash
# Installs, upgrades, rolls back and removes the JADA orchestrator on a Debian or Ubuntu host with systemd.
#
#   deploy/install.sh [install]      user, environment under /opt/jada, unit, settings, completion. Installing another
#                                    version over a running one drains it first and goes back by itself when the new
#                                    one does not become ready.
#   deploy/install.sh rollback       back to the release before the present one
#   deploy/install.sh uninstall      remove the program; settings, credentials and store stay
#   deploy/install.sh uninstall --purge   remove those as well, and the user
#
# Options: --dry-run (say it, do nothing)  --no-start (neither enable nor start)  --python PATH (3.11 or newer)
#          --wheels DIR (install from files, without a network)  --venv DIR (use an environment made elsewhere)
#
# May be run again at any time: what is there already is left alone.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source_tree=$(dirname "$here")
prefix=/opt/jada
unit=jada-orchestrator.service
ready_seconds=90
store=/var/lib/jada/journal.db

action=install dry_run='' no_start='' purge='' python='' wheels='' venv=''

say() { printf '%s\n' "$*"; }
fail() { printf 'install.sh: %s\n' "$*" >&2; exit 1; }

# Every change to the host goes through here, so that --dry-run and what is shown cannot differ from what is done.
run() {
  printf '  + %s\n' "$*"
  [ -n "$dry_run" ] || "$@"
}

parse() {
  while [ $# -gt 0 ]; do
    case $1 in
      install | rollback | uninstall) action=$1 ;;
      --dry-run) dry_run=1 ;;
      --no-start) no_start=1 ;;
      --purge) purge=1 ;;
      --python) python=${2:?--python wants a path}; shift ;;
      --wheels) wheels=$(realpath -e "${2:?--wheels wants a folder}"); shift ;;
      --venv) venv=$(realpath -e "${2:?--venv wants a folder}"); shift ;;
      -h | --help) sed -n '2,/^set /{/^set /!s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; exit 0 ;;
      *) printf 'install.sh: what is %s? See --help.\n' "$1" >&2; exit 2 ;;
    esac
    shift
  done
}

# ---------------------------------------------------------------------------------------------------------- release

version() { sed -n 's/^__version__.*"\(.*\)"/\1/p' "$source_tree/src/jada_orchestrator/__init__.py"; }

# The same sources make the same release, so that running this again changes nothing.
release_name() {
  local digest
  if [ -n "$venv" ]; then
    digest=$(printf '%s' "$venv" | sha256sum)
  else
    digest=$(cd "$source_tree" && find src config requirements/run.lock pyproject.toml -type f \
      ! -name '*.pyc' -print0 | sort -z | xargs -0 sha256sum | sha256sum)
  fi
  printf '%s-%s' "$(version)" "${digest:0:12}"
}

choose_python() {
  local candidate
  for candidate in ${python:-python3 python3.13 python3.12 python3.11}; do
    if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
  fail 'no Python >= 3.11 with the module venv. Debian and Ubuntu: apt-get install python3 python3-venv; or --python PATH'
}

# A release is whole when .complete is in it; one that is not is the rest of an installation that was cut off.
make_release() {
  local release=$1 interpreter offline=() builder
  if [ -e "$release/.complete" ]; then
    say "Release $(basename "$release") is there already."
    return
  fi
  say "Making release $(basename "$release"):"
  run mkdir -p "$prefix/releases"
  run rm -rf "$release"
  if [ -n "$venv" ]; then
    run mkdir "$release"
    run ln -s "$venv/bin" "$venv/lib" "$venv/pyvenv.cfg" "$release/"
  else
    interpreter=$(choose_python)
    [ -z "$wheels" ] || offline=(--no-index --find-links "$wheels")
    run "$interpreter" -m venv "$release"
    run "$release/bin/python" -m pip install --quiet --disable-pip-version-check "${offline[@]}" \
      --require-hashes --requirement "$source_tree/requirements/run.lock"
    builder="$release/builder"
    run "$interpreter" -m venv "$builder"
    run "$builder/bin/python" -m pip install --quiet --disable-pip-version-check "${offline[@]}" \
      --require-hashes --requirement "$source_tree/requirements/build.lock"
    run "$builder/bin/python" -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation \
      --wheel-dir "$release/dist" "$source_tree"
    run "$release/bin/python" -m pip install --quiet --disable-pip-version-check --no-index --no-deps \
      --find-links "$release/dist" jada-orchestrator
    run rm -rf "$builder"
  fi
  run install -D -m 0644 -t "$release/share/doc/jada" "$source_tree"/docs/*.md
  run install -D -m 0644 -t "$release/deploy/systemd" "$here"/systemd/*.service "$here"/systemd/jada.*
  run chmod -R a+rX "$release"
  run touch "$release/.complete"
}

# ------------------------------------------------------------------------------------------------------------- host

# Copies a file when it differs; whether it did is what systemd has to be told.
changed=''
put() {
  local from=$1 to=$2 mode=$3
  cmp -s "$from" "$to" && return
  run install -D -m "$mode" "$from" "$to"
  changed=1
}

# Copies what an operator changes afterwards: only where nothing is.
give() {
  local from=$1 to=$2 mode=$3
  [ -e "$to" ] || run install -D -m "$mode" "$from" "$to"
}

put_host_files() {
  say 'User, settings and folders:'
  put "$here/systemd/jada.sysusers.conf" /etc/sysusers.d/jada.conf 0644
  getent passwd jada >/dev/null || run systemd-sysusers /etc/sysusers.d/jada.conf
  [ -d /etc/jada/agents ] || { run mkdir -p /etc/jada; run cp -r --no-preserve=mode,ownership "$source_tree/config/agents" /etc/jada/; }
  give "$here/etc/settings.json" /etc/jada/settings.json 0644
  give "$here/etc/environment" /etc/jada/environment 0644
  [ -d /etc/credstore ] || run install -d -m 0700 /etc/credstore
}

put_units() {
  say 'Units and the message catalogue:'
  changed=''
  put "$1/deploy/systemd/jada-orchestrator.service" /etc/systemd/system/jada-orchestrator.service 0644
  put "$1/deploy/systemd/jada-orchestrator@.service" /etc/systemd/system/jada-orchestrator@.service 0644
  put "$1/deploy/systemd/jada.catalog" /usr/local/lib/systemd/catalog/jada.catalog 0644
  [ -z "$changed" ] || { run journalctl --update-catalog; run systemctl daemon-reload; }
}

put_command() {
  [ "$(readlink /usr/local/bin/jada || true)" = "$prefix/current/bin/jada" ] ||
    run ln -sfn "$prefix/current/bin/jada" /usr/local/bin/jada
  local completion=/usr/share/bash-completion/completions/jada
  [ -d "$(dirname "$completion")" ] || return 0
  [ -e "$completion" ] || run sh -c "_JADA_COMPLETE=source_bash '$prefix/current/bin/jada' >'$completion'"
}

# ---------------------------------------------------------------------------------------------------------- changes

point() { # point NAME RELEASE: replaced in one step, so that there always is one
  run ln -sfn "$2" "$prefix/.$1.new"
  run mv -T "$prefix/.$1.new" "$prefix/$1"
}

is_active() { systemctl is-active --quiet "$unit"; }

# systemd waits for READY=1, so that a start which returns is a daemon that accepts requests.
start() {
  run timeout "$ready_seconds" systemctl start "$unit"
}

back_up_store() {
  [ -e "$store" ] || return 0
  say 'The store, as it is before the new version touches it:'
  run cp -a "$store" "$store.before-upgrade"
  if [ -e "$store-wal" ]; then run cp -a "$store-wal" "$store.before-upgrade-wal"; fi
}

install_() {
  local release previous
  release="$prefix/releases/$(release_name)"
  previous=$(readlink "$prefix/current" || true)
  make_release "$release"
  put_host_files
  if [ "$previous" = "$release" ]; then
    put_units "$release"
    put_command
    enable_and_start
    return
  fi
  local was_active=''
  if [ -n "$previous" ] && is_active; then
    was_active=1
    say 'Draining the running version:'
    run systemctl stop "$unit"
    back_up_store
  fi
  say 'Switching:'
  [ -z "$previous" ] || point previous "$previous"
  point current "$release"
  put_units "$release"
  put_command
  tell_instances
  if [ -n "$was_active" ]; then
    say 'Starting the new version:'
    if ! start; then
      say 'The new version does not become ready; back to the one before:'
      switch_back "$previous"
      fail "the upgrade was undone, the version before it runs. Why: journalctl -u $unit -p warning -n 50"
    fi
  else
    enable_and_start
  fi
}

switch_back() {
  run systemctl stop "$unit" || true
  run systemctl reset-failed "$unit" || true
  point current "$1"
  put_units "$1"
  start || fail "neither version becomes ready: journalctl -u $unit -p warning -n 50. Where the older one says that the
store is newer, the upgrade had changed it: what it was before is $store.before-upgrade (docs/operations.md, going back)"
}

# The instances of the template: each has a name of its own, and is started and stopped by whoever enabled it.
instances() {
  { systemctl list-units --all --plain --no-legend 'jada-orchestrator@*.service' 2>/dev/null || true; } |
    grep -o 'jada-orchestrator@[^ ]*\.service' || true
}

tell_instances() {
  local running
  running=$(instances | tr '\n' ' ')
  [ -z "$running" ] || say "Instances run the version before until they are restarted: systemctl restart $running"
}

enable_and_start() {
  [ -z "$no_start" ] || return 0
  say 'Enabling:'
  systemctl is-enabled --quiet "$unit" 2>/dev/null || run systemctl enable --quiet "$unit"
  if is_active; then say "$unit runs."; return; fi
  if [ ! -e /etc/credstore/anthropic_api_key ] && [ ! -e /etc/credstore.encrypted/anthropic_api_key ]; then
    say "Not started yet: there is no key. Put it into /etc/credstore/anthropic_api_key (mode 0600), then:"
    say "  jada doctor && systemctl start $unit"
    return
  fi
  start
}

rollback() {
  local present target
  present=$(readlink "$prefix/current") || fail 'nothing is installed'
  target=$(readlink "$prefix/previous") || fail 'there is no release before the present one'
  [ -e "$target/.complete" ] || fail "$target is not whole any more"
  say "Back to $(basename "$target"):"
  if is_active; then run systemctl stop "$unit"; fi
  point previous "$present"
  point current "$target"
  put_units "$target"
  tell_instances
  [ -n "$no_start" ] || start
  say 'A store that the newer version has changed is refused by the older one. What it was before:'
  say "  $store.before-upgrade"
}

uninstall() {
  local each
  say 'Removing the program:'
  for each in $(instances); do run systemctl disable --quiet --now "$each" || true; done
  if [ -e "/etc/systemd/system/$unit" ]; then
    run systemctl disable --quiet --now "$unit" || true
  fi
  run rm -f "/etc/systemd/system/$unit" /etc/systemd/system/jada-orchestrator@.service \
    /usr/local/lib/systemd/catalog/jada.catalog /usr/local/bin/jada /usr/share/bash-completion/completions/jada \
    /etc/sysusers.d/jada.conf
  run rm -rf "$prefix"
  run systemctl daemon-reload
  run journalctl --update-catalog
  if [ -n "$purge" ]; then
    say 'Removing settings, credentials, store and user:'
    run rm -rf /etc/jada /var/lib/jada /etc/credstore/anthropic_api_key /etc/credstore/aws_credentials \
      /etc/credstore.encrypted/anthropic_api_key /etc/credstore.encrypted/aws_credentials
    if getent passwd jada >/dev/null; then run userdel jada; fi
  else
    say 'Left: /etc/jada, /etc/credstore, /var/lib/jada and the user jada (uninstall --purge removes them).'
  fi
}

parse "$@"
[ -n "$dry_run" ] || [ "$(id -u)" = 0 ] || fail 'run this as root (or look first: --dry-run)'
command -v systemctl >/dev/null || fail 'this host has no systemd; docs/operating-on-systemd.md says what else there is'
case $action in
  install) install_ ;;
  rollback) rollback ;;
  uninstall) uninstall ;;
esac
if [ -n "$dry_run" ]; then say 'Nothing was done (--dry-run).'; else say 'Done.'; fi
