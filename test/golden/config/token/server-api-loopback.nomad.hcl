# Made by nomad-bootstrap; a hand edit is reported by `nomad-bootstrap verify` and undone by the next run.
# Settings of your own belong into a file of your own beside this one, such as zz-local.hcl: later names win.

name       = "nomad-1"
region     = "global"
datacenter = "dc1"
data_dir   = "/opt/nomad/data"

# Literal addresses: a default would pick a container bridge or the public address.
bind_addr = "10.0.0.11"

addresses {
  http = "127.0.0.1"
}

advertise {
  http = "10.0.0.11"
  rpc  = "10.0.0.11"
  serf = "10.0.0.11"
}

# A restart is no leave; an uninstall is.
leave_on_interrupt = false
leave_on_terminate = true

disable_update_check = true

consul {
  address = "127.0.0.1:8500"
  token   = "9d45c139-f1f1-4c9e-b1a9-bae083d09390"

  service_identity {
    aud = ["consul.io"]
    ttl = "1h"
  }

  task_identity {
    aud = ["consul.io"]
    ttl = "1h"
  }
}

acl {
  enabled = true
}

# Only a certificate of a server's name speaks raft: a client's cannot.
tls {
  rpc                    = true
  http                   = false
  ca_file                = "/etc/nomad.d/tls/ca.pem"
  cert_file              = "/etc/nomad.d/tls/agent.pem"
  key_file               = "/etc/nomad.d/tls/agent-key.pem"
  verify_server_hostname = true
}

server {
  enabled          = true
  bootstrap_expect = 3
  encrypt          = "tyToQt+JlHqRY1e7e5ZwHWi6NSxhtmWrlCOT4eNuO3I="

  # Never the node's own address: joining itself would count as joined.
  server_join {
    retry_join = [
      "10.0.0.12",
      "nomad-s3",
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
