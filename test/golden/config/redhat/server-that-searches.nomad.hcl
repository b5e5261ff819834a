# Made by nomad-bootstrap; a hand edit is reported by `nomad-bootstrap verify` and undone by the next run.
# Settings of your own belong into a file of your own beside this one, such as zz-local.hcl: later names win.

name       = "nomad-1"
region     = "global"
datacenter = "dc-us-east-1"
data_dir   = "/opt/nomad/data"

# Literal addresses: a default would pick a container bridge or the public address.
bind_addr = "10.5.0.2"

addresses {
  http = "127.0.0.1 10.5.0.2"
}

advertise {
  http = "10.5.0.2"
  rpc  = "10.5.0.2"
  serf = "10.5.0.2"
}

# A restart is no leave; an uninstall is.
leave_on_interrupt = false
leave_on_terminate = true

disable_update_check = true

consul {
  address = "127.0.0.1:8500"
}

server {
  enabled          = true
  bootstrap_expect = 3

  # Never the node's own address: joining itself would count as joined.
  server_join {
    retry_join = [
      "exec=/usr/local/lib/nomad-bootstrap/consul-servers 10.5.0.2",
    ]
    retry_interval = "5s"
    retry_max      = 0
  }
}

telemetry {
  prometheus_metrics         = true
  publish_node_metrics       = true
  publish_allocation_metrics = true
  disable_hostname           = true
}
