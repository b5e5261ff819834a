#!/bin/sh
# First boot of a Nomad client. To finish what failed, as root: sh /root/nomad-bootstrap/run
set -eu
umask 077
mkdir -p /root/nomad-bootstrap
cd /root/nomad-bootstrap

cat >settings.yaml <<'SETTINGS'
"datacenter": "dc-us-east-1"
"expect": 3
"join": "vlan"
"network": "vlan"
SETTINGS
cat >token <<'TOKEN'
nbclient1.example.of.no.cluster
TOKEN
cat >run <<'RUN'
#!/bin/sh
set -eu
cd /root/nomad-bootstrap
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C
url=https://release.lab/install.sh
# A first boot's network and DNS may be late.
for pause in 1 2 4 8 15 30 0; do
  if command -v curl >/dev/null; then curl -fsSL --connect-timeout 10 --max-time 300 -o install.sh "$url" && break; else wget -q -T 60 -t 1 -O install.sh "$url" && break; fi
  if [ "$pause" = 0 ]; then
    echo "$url did not arrive" >&2
    exit 1
  fi
  sleep "$pause"
done
echo "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef  install.sh" | sha256sum -c - >&2
RELEASE_URL=https://release.lab sh install.sh client --config settings.yaml --token-file token
RUN
sh run
