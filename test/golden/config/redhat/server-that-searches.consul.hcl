# Made by nomad-bootstrap; a hand edit is reported by `nomad-bootstrap verify` and undone by the next run.
# Settings of your own belong into a file of your own beside this one, such as zz-local.hcl: later names win.

datacenter = "dc-us-east-1"
node_name  = "nomad-1"
data_dir   = "/opt/consul"

# Literal addresses: a default would pick a container bridge or the public address.
bind_addr      = "10.5.0.2"
advertise_addr = "10.5.0.2"
client_addr    = "127.0.0.1"

addresses {
  http = "127.0.0.1 10.5.0.2"
}

ports {
  grpc     = 8502
  serf_wan = -1
}

server           = true
bootstrap_expect = 3

ui_config {
  enabled = true
}

performance {
  raft_multiplier = 1
}

# Never the node's own address: joining itself would count as joined.
retry_join = [
  "provider=linode tag_name=nomad region=us-east address_type=vpc_v4",
]
retry_interval = "15s"

connect {
  enabled = true
}

# A restart is no leave: leaving would deregister every service of the node.
leave_on_terminate      = false
skip_leave_on_interrupt = true

disable_update_check = true

telemetry {
  prometheus_retention_time = "60s"
  disable_hostname          = true
}
