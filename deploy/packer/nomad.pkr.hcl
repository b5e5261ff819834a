# An image of which a node bootstraps without a download: packages, CNI plug-ins and kernel settings are in it, no identity and nothing
# enabled. LINODE_TOKEN=... packer init . && packer build -var release_url=https://... .
# Give its id, private/NUMBER, to deploy/terraform as linode_image.

packer {
  required_plugins {
    linode = {
      source  = "github.com/linode/linode"
      version = ">= 1.6.0"
    }
  }
}

variable "release_url" {
  description = "Where a release of nomad-bootstrap is served: the files of `make dist RELEASE_URL=...`."
  type        = string

  validation {
    condition     = can(regex("^https://[A-Za-z0-9._:/@%+=~-]+[^/]$", var.release_url))
    error_message = "It begins with https:// and does not end with a slash."
  }
}

variable "image" {
  description = "Linode's image to start from."
  type        = string
  default     = "linode/debian13"
}

variable "region" {
  description = "Where the image is made. It can be used in every region."
  type        = string
  default     = "us-east"
}

variable "options" {
  description = "Further options of `nomad-bootstrap image`, such as --nomad-version 2.0.5 or --docker distro."
  type        = string
  default     = ""
}

# Some releases of the plug-in ask for one. Nobody needs it: whoever makes a Linode of the image gives it another.
local "password" {
  expression = "Aa1-${uuidv4()}"
  sensitive  = true
}

source "linode" "node" {
  image             = var.image
  region            = var.region
  instance_type     = "g6-standard-1"
  instance_label    = "packer-nomad-${formatdate("YYYYMMDD-hhmmss", timestamp())}"
  image_label       = "nomad-${formatdate("YYYYMMDD", timestamp())}"
  image_description = "nomad-bootstrap image on ${var.image}"
  root_pass         = local.password
  ssh_username      = "root"
  cloud_init        = true
}

build {
  sources = ["source.linode.node"]

  provisioner "shell" {
    inline = [
      "cloud-init status --wait >/dev/null || true",
      # Not through a pipe, whose first half may fail unseen: an image of nothing would be made.
      "curl -fsSL --retry 5 --connect-timeout 10 --max-time 300 -o /root/install.sh ${var.release_url}/install.sh",
      "sh /root/install.sh image ${var.options}",
      "rm /root/install.sh",
      # The next machine is another one.
      "cloud-init clean --logs --machine-id --seed || cloud-init clean --logs",
      "rm -f /etc/ssh/ssh_host_* /root/.ssh/authorized_keys /root/.bash_history",
    ]
  }
}
