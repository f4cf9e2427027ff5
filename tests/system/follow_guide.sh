#!/bin/bash
# Follows the installation guide in a clean Debian tree (debootstrap, kept by systemd-sandbox) with a systemd of its own.
# Needs root and the network: packages come from Debian's mirror and Python's index.  make test-guide
# Behind a proxy with a certificate of its own: JADA_GUIDE_CA=/path/to/bundle.crt
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source_tree=$(cd "$here/../.." && pwd)
suite=${1:-bookworm}
inside=$(mktemp)
trap 'rm -f "$inside"' EXIT
cat >"$inside" <<'INSIDE'
set -eu
# The stand-in for AWS and the model, from this checkout's own environment, beside the clean host.
mkdir -p /var/lib/stand
systemd-run -q --unit=stand-in -p Environment=HOME=/var/lib/stand \
  /opt/stand-in/bin/jada sandbox --state /var/lib/stand --env-file /etc/stand.env
for _ in $(seq 300); do [ -s /etc/stand.env ] && break; sleep 0.1; done
. /etc/stand.env
export YOUR_MODEL_KEY=$ANTHROPIC_API_KEY YOUR_KEY_ID=$AWS_ACCESS_KEY_ID YOUR_SECRET=$AWS_SECRET_ACCESS_KEY YOUR_REGION=$AWS_REGION
mkdir -p /etc/jada
grep -E 'ENDPOINT|BASE_URL|QUEUE' /etc/stand.env >/etc/jada/environment
mkdir -p /opt/jada-source
(cd /opt/checkout && tar -c --exclude=.git --exclude=.venv --exclude=build --exclude='.*_cache' .) | tar -x -C /opt/jada-source
env -u ANTHROPIC_API_KEY -u AWS_ACCESS_KEY_ID -u AWS_SECRET_ACCESS_KEY \
  python3 /opt/checkout/tests/system/guide.py /opt/checkout/docs/install-lightsail.md
test "$(systemctl is-active jada-orchestrator)" = active
echo 'The guide was followed to its end.'
INSIDE
# python3 is there before the guide asks for it, because it reads the guide; the guide's own apt-get line runs all the same.
exec "$here/systemd-sandbox" --suite "$suite" --net host --timeout 900 --journal failure \
  --venv "$source_tree/.venv:/opt/stand-in" --bind-ro "$source_tree:/opt/checkout" --bind-ro "$source_tree" \
  ${JADA_GUIDE_CA:+--bind-ro "$JADA_GUIDE_CA:/etc/own-ca.crt" --setenv PIP_CERT=/etc/own-ca.crt} \
  --script "$inside"
