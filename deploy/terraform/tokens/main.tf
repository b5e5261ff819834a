# A cluster's two tokens, made once and kept in the state. The server token by Terraform itself; what follows from it for clients, keys and
# a certificate, by nomad-bootstrap on the machine that runs Terraform (Linux).

terraform {
  required_version = ">= 1.5"

  required_providers {
    external = {
      source  = "hashicorp/external"
      version = "~> 2.3"
    }
    random = {
      source  = "hashicorp/random"
      version = "~> 3.6"
    }
  }
}

variable "program" {
  description = "The nomad-bootstrap executable on this machine."
  type        = string
  default     = "nomad-bootstrap"

  validation {
    condition     = can(regex("nomad-bootstrap[^/]*$", var.program))
    error_message = "The path of nomad-bootstrap, or its name where it is in the PATH."
  }
}

variable "region" {
  description = "Nomad's region, which every node of the cluster then has. Of a cluster that is there it cannot be changed."
  type        = string
  default     = "global"

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", var.region))
    error_message = "Lower-case letters, digits and hyphens."
  }
}

# Random once. The provider calls it sensitive, so that no plan shows it.
resource "random_bytes" "seed" {
  length = 32
}

# What else the token says. What is kept does not change any more: a node that comes later gets the same token.
resource "terraform_data" "made" {
  input = {
    day    = formatdate("YYYYMMDD", timestamp())
    region = var.region
  }

  lifecycle {
    ignore_changes = [input]
  }
}

locals {
  made         = terraform_data.made.output
  body         = "nbserver1.${random_bytes.seed.hex}.${local.made.day}.1.${local.made.region}."
  server_token = "${local.body}.${substr(sha256(local.body), 0, 8)}"
}

# By its input, not on a command line. The same server token always gives the same client token.
data "external" "client" {
  program = ["sh", "-ec", <<-END
    NOMAD_BOOTSTRAP_TOKEN=$(sed 's/.*"token":"\([^"]*\)".*/\1/')
    export NOMAD_BOOTSTRAP_TOKEN
    token=$("$0" token client)
    printf '{"token":"%s"}' "$token"
    END
    , var.program
  ]
  query = { token = local.server_token }
}

output "server_token" {
  description = "For servers. Everything secret about the cluster follows from it; it stands in the state in clear."
  sensitive   = true
  value       = local.server_token
}

output "client_token" {
  description = "For clients. It stands in the state in clear, and `terraform show` shows it."
  sensitive   = true
  value       = data.external.client.result.token
}
