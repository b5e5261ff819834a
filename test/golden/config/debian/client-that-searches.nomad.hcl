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
}

# A restart is no leave; an uninstall is.
leave_on_interrupt = false
leave_on_terminate = false

disable_update_check = true

consul {
  address = "127.0.0.1:8500"
}

client {
  enabled           = true
  network_interface = "eth2"
  node_pool         = "default"

  cni_path       = "/opt/cni/bin"
  cni_config_dir = "/opt/cni/config"

  # Without these, ports of bridge jobs would be open on every address.
  host_network "private" {
    cidr      = "10.5.0.0/24"
    interface = "eth2"
  }

  host_network "public" {
    cidr      = "172.105.1.2/32"
    interface = "eth0"
  }

  reserved {
    memory         = 256
    reserved_ports = "22"
  }

  options {
    "user.denylist" = "root,Administrator,nomad,consul"
    # Linode's metadata service is at the address of others': asking it whether this is one of their machines takes 2 s.
    "fingerprint.denylist" = "env_aws,env_azure,env_digitalocean,env_gce"
  }

  # What an exec task sees of this host: the default without /etc as a whole, where the agents' configuration lies.
  chroot_env {
    "/bin" = "/bin"
    "/lib" = "/lib"
    "/lib32" = "/lib32"
    "/lib64" = "/lib64"
    "/run/resolvconf" = "/run/resolvconf"
    "/run/systemd/resolve" = "/run/systemd/resolve"
    "/sbin" = "/sbin"
    "/usr" = "/usr"
    "/etc/alternatives" = "/etc/alternatives"
    "/etc/ca-certificates" = "/etc/ca-certificates"
    "/etc/crypto-policies" = "/etc/crypto-policies"
    "/etc/group" = "/etc/group"
    "/etc/hosts" = "/etc/hosts"
    "/etc/ld.so.cache" = "/etc/ld.so.cache"
    "/etc/ld.so.conf" = "/etc/ld.so.conf"
    "/etc/ld.so.conf.d" = "/etc/ld.so.conf.d"
    "/etc/localtime" = "/etc/localtime"
    "/etc/mime.types" = "/etc/mime.types"
    "/etc/nsswitch.conf" = "/etc/nsswitch.conf"
    "/etc/os-release" = "/etc/os-release"
    "/etc/passwd" = "/etc/passwd"
    "/etc/pki/ca-trust" = "/etc/pki/ca-trust"
    "/etc/pki/tls/cert.pem" = "/etc/pki/tls/cert.pem"
    "/etc/pki/tls/certs" = "/etc/pki/tls/certs"
    "/etc/pki/tls/openssl.cnf" = "/etc/pki/tls/openssl.cnf"
    "/etc/protocols" = "/etc/protocols"
    "/etc/services" = "/etc/services"
    "/etc/ssl/certs" = "/etc/ssl/certs"
    "/etc/ssl/openssl.cnf" = "/etc/ssl/openssl.cnf"
    "/etc/terminfo" = "/etc/terminfo"
    "/etc/timezone" = "/etc/timezone"
  }
}

plugin "docker" {
  config {
    allow_privileged = false
    extra_labels     = ["job_name", "task_group_name", "task_name", "node_name"]

    volumes {
      enabled      = false
    }

    gc {
      image       = true
      image_delay = "1h"
    }
  }
}

plugin "raw_exec" {
  config {
    enabled = false
  }
}

telemetry {
  prometheus_metrics         = true
  publish_node_metrics       = true
  publish_allocation_metrics = true
  disable_hostname           = true
}
