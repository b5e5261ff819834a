# The cluster of Linode's guide "How to Use Nomad for Container Orchestration": three servers and three clients on a VLAN.

terraform {
  required_version = ">= 1.5"

  required_providers {
    linode = {
      source  = "linode/linode"
      version = ">= 3.13, < 5.0"
    }
  }
}

variable "token" {
  description = "Token of Linode's API, read and write. Better given as LINODE_TOKEN than in a file."
  type        = string
  sensitive   = true
  default     = null
}

variable "ssh_keys" {
  description = "Public SSH keys for root."
  type        = list(string)
}

variable "root_password" {
  description = "Password of root, for the Lish console."
  type        = string
  sensitive   = true
  default     = null
}

variable "server_count" {
  description = "Number of servers."
  type        = number
  default     = 3
}

variable "client_count" {
  description = "Number of clients."
  type        = number
  default     = 3
}

variable "region" {
  description = "A region that offers VLANs."
  type        = string
  default     = "us-southeast"
}

variable "linode_image" {
  description = "The nodes' image."
  type        = string
  default     = "linode/ubuntu24.04"
}

variable "server_type" {
  description = "Dedicated 4 GB."
  type        = string
  default     = "g6-dedicated-2"
}

variable "client_type" {
  description = "Shared 4 GB."
  type        = string
  default     = "g6-standard-2"
}

variable "release_url" {
  description = "Where a release of nomad-bootstrap is served."
  type        = string
}

variable "program" {
  description = "The nomad-bootstrap executable on this machine: it makes the clients' token."
  type        = string
  default     = "nomad-bootstrap"
}

variable "insecure" {
  description = "No encryption and no access control, as in the guide, and no tokens."
  type        = bool
  default     = false
}

variable "ssh_private_key_file" {
  description = "Private key of one of ssh_keys, to ask the nodes for their health. Null: the SSH agent's."
  type        = string
  default     = null
}

variable "wait_for_health" {
  description = "End when every node says that the cluster is healthy; false: when the Linodes boot."
  type        = bool
  default     = true
}

provider "linode" {
  token = var.token
}

# The cluster's secrets: made once, kept in the state in clear.
module "tokens" {
  count   = var.insecure ? 0 : 1
  source  = "../../tokens"
  program = var.program
}

module "nomad" {
  source = "../.."

  ssh_keys      = var.ssh_keys
  root_password = var.root_password
  server_count  = var.server_count
  client_count  = var.client_count
  region        = var.region
  linode_image  = var.linode_image
  server_type   = var.server_type
  client_type   = var.client_type

  release_url  = var.release_url
  insecure     = var.insecure
  server_token = one(module.tokens[*].server_token)
  client_token = one(module.tokens[*].client_token)

  ssh_private_key_file = var.ssh_private_key_file
  wait_for_health      = var.wait_for_health

  # The guide's example job: deploy/examples/http-echo.nomad.hcl.
  public_ports = ["3030"]
}

output "nomad" {
  description = "Addresses, and how to open the user interfaces."
  value       = { servers = module.nomad.servers, clients = module.nomad.clients, ui = module.nomad.ui }
}
