# What a node does at its first boot, as cloud-init user data. Needs no provider: it only renders.

terraform {
  required_version = ">= 1.5"
}

variable "role" {
  description = "What the node becomes: server or client."
  type        = string

  validation {
    condition     = contains(["server", "client"], var.role)
    error_message = "The role is server or client."
  }
}

variable "settings" {
  description = "Settings of nomad-bootstrap, as the keys of its --config file. Those that are null are left out."
  type        = any
}

variable "token" {
  description = "The cluster's token: a server token for servers, a client token for clients. Null: an insecure cluster."
  type        = string
  sensitive   = true
  default     = null
}

variable "release_url" {
  description = "Where install.sh and the executables are served."
  type        = string

  validation {
    condition     = can(regex("^https?://[A-Za-z0-9._:/@%+=~-]+[^/]$", var.release_url))
    error_message = "The release URL begins with https:// (or http://), does not end with a slash and needs no quoting in a shell."
  }
}

variable "install_sha256" {
  description = "SHA-256 of install.sh, which in turn knows the digests of the executables. Null: TLS alone vouches for it."
  type        = string
  default     = null

  validation {
    condition     = var.install_sha256 == null || can(regex("^[0-9a-f]{64}$", var.install_sha256))
    error_message = "A SHA-256 is 64 lower-case hexadecimal digits."
  }
}

output "text" {
  description = "The script, not encoded."
  sensitive   = true
  value = templatefile("${path.module}/user-data.sh.tftpl", {
    role           = var.role
    settings       = yamlencode({ for name, value in var.settings : name => value if value != null })
    token          = var.token == null ? "" : var.token
    release_url    = var.release_url
    install_sha256 = var.install_sha256 == null ? "" : var.install_sha256
  })
}
