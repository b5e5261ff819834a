# The nine inputs of the guide; `token` is the provider's (see examples/guide).

variable "ssh_keys" {
  description = "Public SSH keys for root on every node. A change does not touch nodes that exist."
  type        = list(string)

  validation {
    condition     = length(var.ssh_keys) > 0 && alltrue([for key in var.ssh_keys : can(regex("^(ssh|ecdsa|sk)-\\S+ \\S+", trimspace(key)))])
    error_message = "Give at least one public key, such as file(\"~/.ssh/id_ed25519.pub\")."
  }
}

variable "root_password" {
  description = "Password of root, for the Lish console. Null: a random one that nobody knows. Stands in the state in clear."
  type        = string
  sensitive   = true
  default     = null

  validation {
    condition     = var.root_password == null ? true : length(var.root_password) >= 11 && length(var.root_password) <= 128
    error_message = "From 11 to 128 characters, of several kinds, as Linode asks for."
  }
}

variable "server_count" {
  description = "Number of servers: 1, 3, 5 or 7. Can be raised at any time; lower it by one at a time."
  type        = number
  default     = 3

  validation {
    condition     = contains([1, 3, 5, 7], var.server_count)
    error_message = "An odd number up to 7: an even one survives no more losses than one less."
  }
}

variable "client_count" {
  description = "Number of clients, up to 100."
  type        = number
  default     = 3

  validation {
    condition     = var.client_count >= 0 && var.client_count <= 100 && floor(var.client_count) == var.client_count
    error_message = "A whole number from 0 to 100."
  }
}

variable "region" {
  description = "Linode's region, such as us-east. It must offer VLANs (or VPCs) and the metadata service."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}-[a-z0-9-]+$", var.region))
    error_message = "A region's id, such as us-east or de-fra-2."
  }
}

variable "linode_image" {
  description = "The nodes' image: Ubuntu, Debian, Rocky, AlmaLinux, CentOS Stream or Fedora with cloud-init; or one of your own (deploy/packer). A change does not touch nodes that exist."
  type        = string
  default     = "linode/debian13"

  validation {
    condition     = can(regex("^(linode/(ubuntu|debian|rocky|almalinux|centos-stream|fedora)[0-9.]+|private/[0-9]+)$", var.linode_image))
    error_message = "linode/ubuntu24.04, linode/debian13, linode/rocky10 and the like, or private/NUMBER."
  }
}

variable "server_type" {
  description = "The servers' type."
  type        = string
  default     = "g6-dedicated-2"

  validation {
    condition     = can(regex("^g[0-9]+-[a-z0-9-]+$", var.server_type))
    error_message = "A type's id, such as g6-dedicated-2."
  }
}

variable "client_type" {
  description = "The clients' type."
  type        = string
  default     = "g6-standard-2"

  validation {
    condition     = can(regex("^g[0-9]+-[a-z0-9-]+$", var.client_type))
    error_message = "A type's id, such as g6-standard-2."
  }
}

# More.

variable "name" {
  description = "Name of the cluster: the beginning of every label, and the VLAN's or VPC's."
  type        = string
  default     = "nomad"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,22}[a-z0-9]$", var.name))
    error_message = "3 to 24 lower-case letters, digits and hyphens, beginning with a letter."
  }
}

variable "network" {
  description = "What the cluster's own traffic goes over: vlan (free, unfiltered, layer 2) or vpc."
  type        = string
  default     = "vlan"

  validation {
    condition     = contains(["vlan", "vpc"], var.network)
    error_message = "vlan or vpc."
  }
}

variable "network_cidr" {
  description = "The VLAN's or VPC subnet's addresses, for this cluster alone. Servers get .11 and on, clients .101 and on."
  type        = string
  default     = "10.8.0.0/24"

  validation {
    condition     = can(regex("/2[2-4]$", var.network_cidr)) && can(cidrhost(var.network_cidr, 250)) && can(regex("^(10\\.|172\\.(1[689]|2[0-57-9]|3[01])\\.|192\\.168\\.([0-9]|[1-9][0-9]|1[01][0-9]|12[0-7])\\.)", var.network_cidr))
    error_message = "A private network of 22 to 24 bits, outside of 192.168.128.0/17, which all of a data centre's customers share, and of 172.17.0.0/16 and 172.26.0.0/16, where Docker's and Nomad's bridges are."
  }
}

variable "bootstrap_expect" {
  description = "Servers that must see each other before the first election. Null: 3, or 1 where there are fewer servers. Later growth needs no change of it."
  type        = number
  default     = null

  validation {
    condition     = var.bootstrap_expect == null ? true : contains([1, 3, 5, 7], var.bootstrap_expect)
    error_message = "1, 3, 5 or 7, and no more than server_count."
  }
}

variable "ssh_sources" {
  description = "Networks from which SSH is allowed."
  type        = object({ ipv4 = list(string), ipv6 = list(string) })
  default     = { ipv4 = ["0.0.0.0/0"], ipv6 = ["::/0"] }

  validation {
    condition     = alltrue([for cidr in concat(var.ssh_sources.ipv4, var.ssh_sources.ipv6) : can(cidrhost(cidr, 0))])
    error_message = "Networks in CIDR notation."
  }
}

variable "public_ports" {
  description = "TCP ports of the clients that everybody may reach, such as [\"80\", \"443\", \"3030\"] or ranges. The agents' own ports are refused."
  type        = list(string)
  default     = []

  validation {
    condition = length(var.public_ports) <= 15 && alltrue([
      for port in var.public_ports : can(regex("^[1-9][0-9]{0,4}(-[1-9][0-9]{0,4})?$", port)) ? (
        tonumber(split("-", port)[0]) <= tonumber(reverse(split("-", port))[0]) && tonumber(reverse(split("-", port))[0]) <= 65535
      ) : false
    ])
    error_message = "Up to 15 ports or ranges, such as \"3030\" or \"20000-32000\"."
  }

  validation {
    condition = alltrue([
      for port in var.public_ports : alltrue([
        for own in [22, 4646, 4647, 4648, 8300, 8301, 8302, 8500, 8501, 8502, 8503, 8600] :
        own < tonumber(split("-", port)[0]) || own > tonumber(reverse(split("-", port))[0])
      ])
    ])
    error_message = "Nomad's and Consul's own ports are never public: use the tunnel of the output `ui`. SSH is opened by ssh_sources."
  }
}

variable "placement_group" {
  description = "Keep the servers on different hosts (anti-affinity; up to 5 servers, where the region offers it)."
  type        = bool
  default     = false
}

variable "nomad_version" {
  description = "Nomad's version for new nodes, or latest. Null: the newest of the line that nomad-bootstrap was tested with."
  type        = string
  default     = null

  validation {
    condition     = var.nomad_version == null || can(regex("^(latest|[0-9]+\\.[0-9]+\\.[0-9]+)$", var.nomad_version))
    error_message = "latest or a version such as 2.0.5."
  }
}

variable "consul_version" {
  description = "Consul's version for new nodes, or latest. Null: the newest of the line that nomad-bootstrap was tested with."
  type        = string
  default     = null

  validation {
    condition     = var.consul_version == null || can(regex("^(latest|[0-9]+\\.[0-9]+\\.[0-9]+)$", var.consul_version))
    error_message = "latest or a version such as 1.21.4."
  }
}

variable "settings" {
  description = "Further settings of nomad-bootstrap for every node, as the keys of its --config file, such as { docker = \"distro\" }."
  type        = any
  default     = {}

  validation {
    condition     = can(keys(var.settings)) && alltrue([for name in try(keys(var.settings), []) : can(regex("^[a-z][a-z0-9-]*$", name)) && !can(regex("token|^insecure$", name))])
    error_message = "Settings by their names, such as { docker = \"distro\" }; tokens and insecure have variables of their own."
  }
}

variable "client_settings" {
  description = "Further settings of the clients, such as { node-pool = \"web\" }."
  type        = any
  default     = {}

  validation {
    condition     = can(keys(var.client_settings)) && alltrue([for name in try(keys(var.client_settings), []) : can(regex("^[a-z][a-z0-9-]*$", name)) && !can(regex("token|^insecure$", name))])
    error_message = "Settings by their names, such as { docker = \"distro\" }; tokens and insecure have variables of their own."
  }
}

variable "insecure" {
  description = "No encryption and no access control. Whoever reaches the network rules the cluster: for a VLAN or VPC that nobody else is on."
  type        = bool
  default     = false
}

variable "server_token" {
  description = "The cluster's token, from `nomad-bootstrap token create`. Stands in the state and in the servers' user data in clear."
  type        = string
  sensitive   = true
  default     = null

  validation {
    condition     = var.server_token == null || can(regex("^nbserver[0-9]+\\.[A-Za-z0-9._-]+$", var.server_token))
    error_message = "A server token, as `nomad-bootstrap token create` prints it."
  }
}

variable "client_token" {
  description = "The clients' token, from `nomad-bootstrap token client`: clients never get the server token. Stands in the state and in the clients' user data in clear."
  type        = string
  sensitive   = true
  default     = null

  validation {
    condition     = var.client_token == null || can(regex("^nbclient[0-9]+\\.[A-Za-z0-9._-]+$", var.client_token))
    error_message = "A client token, as `nomad-bootstrap token client` prints it."
  }
}

variable "release_url" {
  description = "Where a release of nomad-bootstrap is served: the files of `make dist RELEASE_URL=...`."
  type        = string

  validation {
    condition     = can(regex("^https?://[A-Za-z0-9._:/@%+=~-]+[^/]$", var.release_url))
    error_message = "It begins with https:// (http:// needs install_sha256) and does not end with a slash."
  }
}

variable "install_sha256" {
  description = "SHA-256 of that release's install.sh, which knows the digests of the executables. Null: TLS alone vouches for it."
  type        = string
  default     = null

  validation {
    condition     = var.install_sha256 == null || can(regex("^[0-9a-f]{64}$", var.install_sha256))
    error_message = "64 lower-case hexadecimal digits."
  }
}

variable "wait_for_health" {
  description = "Apply ends when every node says that the cluster is healthy, asked over SSH with your agent's key or ssh_private_key_file."
  type        = bool
  default     = true
}

variable "ssh_private_key_file" {
  description = "Private key for that. Null: the SSH agent's."
  type        = string
  default     = null

  validation {
    condition     = var.ssh_private_key_file == null ? true : fileexists(pathexpand(var.ssh_private_key_file))
    error_message = "There is no such file on this machine."
  }
}
