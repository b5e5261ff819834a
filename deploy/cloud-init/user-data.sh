#!/bin/sh
# User data for Linode's metadata service (or any cloud-init): this node joins a cluster at its first boot. Edit the lines between the
# marks, then give the file to `linode-cli linodes create --metadata.user_data "$(base64 -w0 user-data.sh)" ...`, or paste it into
# Cloud Manager under Add User Data. cloud-init's log is /var/log/cloud-init-output.log; what failed is finished, as root, by:
# sh /root/nomad-bootstrap/run
set -eu
umask 077
mkdir -p /root/nomad-bootstrap
cd /root/nomad-bootstrap

# ---- edit from here -------------------------------------------------------------------------------------------------
# Where the files of `make dist RELEASE_URL=...` are served.
release_url=https://example.com/nomad-bootstrap
# server, client, or auto: what the Linode's tags say (nomad-server, nomad-client).
role=server
# The keys are the names of the options; docs/configuration.md lists them. On clients leave `expect` away.
cat >settings.yaml <<'SETTINGS'
expect: 3
join: vlan
network: vlan
SETTINGS
# Between the next two lines: on servers what `nomad-bootstrap token create` printed, on clients what `token client` made of it. Linode keeps
# user data in clear. Nothing, and `insecure: true` above: no encryption and no access control.
cat >token <<'TOKEN'
TOKEN
# ---- to here --------------------------------------------------------------------------------------------------------

cat >run <<RUN
#!/bin/sh
set -eu
cd /root/nomad-bootstrap
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C RELEASE_URL=$release_url
# A first boot's network and DNS may be late.
for pause in 1 2 4 8 15 30 0; do
  if command -v curl >/dev/null; then
    curl -fsSL --connect-timeout 10 --max-time 300 -o install.sh $release_url/install.sh && break
  else
    wget -q -T 60 -t 1 -O install.sh $release_url/install.sh && break
  fi
  if [ "\$pause" = 0 ]; then
    echo '$release_url/install.sh did not arrive' >&2
    exit 1
  fi
  sleep "\$pause"
done
sh install.sh $role --config settings.yaml --token-file token
RUN
sh run
