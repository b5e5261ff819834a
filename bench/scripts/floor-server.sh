#!/bin/sh
# The least that makes a server: its packages lie in /root/floor already, one transaction of dpkg, the shortest configuration
# that a server of one can have, and both agents started at once. Nothing is checked, recorded or waited for. ADDRESS.
set -eu
dpkg --install /root/floor/*.deb >/dev/null
cat >/etc/consul.d/consul.hcl <<END
data_dir = "/opt/consul"
bind_addr = "$1"
server = true
bootstrap_expect = 1
performance {
  raft_multiplier = 1
}
END
cat >/etc/nomad.d/nomad.hcl <<END
data_dir = "/opt/nomad/data"
bind_addr = "$1"
addresses {
  http = "127.0.0.1"
}
advertise {
  http = "$1"
}
server {
  enabled = true
  bootstrap_expect = 1
}
END
systemctl start --no-block consul nomad
