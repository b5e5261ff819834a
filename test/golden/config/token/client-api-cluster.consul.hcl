# Made by nomad-bootstrap; a hand edit is reported by `nomad-bootstrap verify` and undone by the next run.
# Settings of your own belong into a file of your own beside this one, such as zz-local.hcl: later names win.

datacenter = "dc1"
node_name  = "nomad-1"
data_dir   = "/opt/consul"

# Literal addresses: a default would pick a container bridge or the public address.
bind_addr      = "10.0.0.11"
advertise_addr = "10.0.0.11"
client_addr    = "127.0.0.1"

# Plain HTTP stays on loopback.
addresses {
  https = "10.0.0.11"
}

ports {
  https    = 8501
  grpc     = 8502
  serf_wan = -1
}

# Never the node's own address: joining itself would count as joined.
retry_join = [
  "10.0.0.12",
  "nomad-s3",
]
retry_interval = "5s"

connect {
  enabled = true
}

encrypt = "e9LoOUoQ4lSMIG6vV1EhVU1zpLALs1jh6jCpZhf6AbQ="

# Only a certificate of a server's name speaks for one: a client's cannot.
tls {
  internal_rpc {
    ca_file                = "/etc/consul.d/tls/ca.pem"
    cert_file              = "/etc/consul.d/tls/agent.pem"
    key_file               = "/etc/consul.d/tls/agent-key.pem"
    verify_incoming        = true
    verify_outgoing        = true
    verify_server_hostname = true
  }

  https {
    ca_file   = "/etc/consul.d/tls/ca.pem"
    cert_file = "/etc/consul.d/tls/agent.pem"
    key_file  = "/etc/consul.d/tls/agent-key.pem"
  }
}

acl {
  enabled        = true
  default_policy = "deny"

  tokens {
    agent              = "89949358-1216-47ee-80b9-ca0baf6bf2a8"
    agent_recovery     = "7f5070c3-c79b-4a05-b098-1eab0ad23cb5"
    dns                = "7391bb92-d5e2-46f8-a6e2-0e9ff184753c"
  }
}

# A restart is no leave: leaving would deregister every service of the node.
leave_on_terminate      = false
skip_leave_on_interrupt = true

disable_update_check = true

telemetry {
  prometheus_retention_time = "60s"
  disable_hostname          = true
}
