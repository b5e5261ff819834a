#!/usr/bin/env bash
# The guide's nomad-server-setup.sh for a cluster of one: NUMBER COUNT REGION ADDRESS. Changed: the guide counts VLAN addresses up
# from 10.8.0.1, here the address is given; and `advertise`, as one of the derivatives has it. Without, Nomad advertises Docker's
# bridge (172.17.0.1), and no client of another node ever finds it.
cat >/etc/consul.d/consul.hcl <<END
datacenter = "dc-$3"
data_dir = "/opt/consul"
node_name = "consul-server-$1"
bind_addr = "0.0.0.0"
client_addr = "0.0.0.0"
advertise_addr = "$4"
bootstrap_expect = $2
server = true
ui = true
retry_join = ["$4"]

service {
  name = "consul"
}

connect {
  enabled = true
}

ports {
  grpc = 8502
}
END
cat >/etc/nomad.d/nomad.hcl <<END
datacenter = "dc-$3"
data_dir = "/opt/nomad/data"
bind_addr = "0.0.0.0"
name = "nomad-server-$1"

advertise {
  http = "$4"
  rpc = "$4"
  serf = "$4"
}

server {
  enabled = true
  bootstrap_expect = $2
}

consul {
  address = "127.0.0.1:8500"
}
END
echo "stage start $(date +%s.%N)"
systemctl enable consul
systemctl start consul
systemctl enable nomad
systemctl start nomad
