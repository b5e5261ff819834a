# The example of Linode's guide: three web servers, one on each of three clients, on port 3030 of their public addresses.
#   nomad job run http-echo.nomad.hcl
# Clients without a public address: leave host_network away, and the port is on the cluster's network.

variable "text" {
  description = "What they answer."
  type        = string
  default     = "Hello, World!"
}

job "http-echo" {
  datacenters = ["*"]

  group "echo" {
    count          = 3
    shutdown_delay = "5s"

    network {
      mode = "bridge"

      port "http" {
        static       = 3030
        to           = 5678
        host_network = "public"
      }
    }

    service {
      name     = "http-echo"
      port     = "http"
      provider = "consul"

      check {
        type     = "http"
        path     = "/"
        interval = "10s"
        timeout  = "2s"
      }
    }

    task "server" {
      driver = "docker"

      config {
        image = "hashicorp/http-echo:1.0"
        args  = ["-listen=:5678", "-text=${var.text}"]
        ports = ["http"]
      }

      resources {
        cpu    = 100
        memory = 64
      }
    }
  }
}
