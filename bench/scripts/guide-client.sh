#!/usr/bin/env bash
# The guide's nomad-client-setup.sh: NUMBER REGION ADDRESS SERVER.
cat >/etc/consul.d/consul.hcl <<END
datacenter = "dc-$2"
data_dir = "/opt/consul"
node_name = "consul-client-$1"
bind_addr = "0.0.0.0"
client_addr = "0.0.0.0"
advertise_addr = "$3"
retry_join = ["$4"]

connect {
  enabled = true
}

ports {
  grpc = 8502
}
END
cat >/etc/nomad.d/nomad.hcl <<END
datacenter = "dc-$2"
data_dir = "/opt/nomad/data"
bind_addr = "0.0.0.0"
name = "nomad-client-$1"

client {
  enabled = true
  options {
    "driver.raw_exec.enable" = "1"
    "docker.privileged.enabled" = "true"
  }
}

consul {
  address = "127.0.0.1:8500"
}

ui {
  enabled = false
}
END
echo "stage start $(date +%s.%N)"
systemctl enable consul
systemctl start consul
systemctl enable nomad
systemctl start nomad
