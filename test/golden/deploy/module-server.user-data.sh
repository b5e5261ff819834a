#!/bin/sh
# First boot of a Nomad server. To finish what failed, as root: sh /root/nomad-bootstrap/run
set -eu
umask 077
mkdir -p /root/nomad-bootstrap
cd /root/nomad-bootstrap

cat >settings.yaml <<'SETTINGS'
"expect": 3
"join": "vlan"
"network": "vlan"
SETTINGS
cat >token <<'TOKEN'
nbserver1.000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f.20261122.1.global.dc1.2c222865
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
RELEASE_URL=https://release.lab sh install.sh server --config settings.yaml --token-file token
RUN
sh run
