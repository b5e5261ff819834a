# A cluster of Nomad and Consul on Linodes. A node's place in the cluster is its number: what is rendered for it depends on
# nothing that changes when the cluster grows, so that growing touches no node that exists.

locals {
  bootstrap_expect = coalesce(var.bootstrap_expect, var.server_count >= 3 ? 3 : 1)
  prefix_length    = split("/", var.network_cidr)[1]

  servers = { for number in range(1, var.server_count + 1) : "${var.name}-server-${number}" => cidrhost(var.network_cidr, 10 + number) }
  clients = { for number in range(1, var.client_count + 1) : "${var.name}-client-${number}" => cidrhost(var.network_cidr, 100 + number) }

  # A Linode made here has one public address, and no private one. (ip_address is deprecated.)
  nodes = {
    for label, node in merge(linode_instance.servers, linode_instance.clients) : label => { id = node.id, address = tolist(node.ipv4)[0] }
  }

  settings = merge({
    network        = var.network
    join           = "vlan" # found on the subnet, which a VPC has as well
    insecure       = var.insecure ? true : null
    nomad-version  = var.nomad_version
    consul-version = var.consul_version
  }, var.settings)
}

module "server_user_data" {
  source = "./user-data"

  role           = "server"
  settings       = merge(local.settings, { expect = local.bootstrap_expect })
  token          = var.server_token
  release_url    = var.release_url
  install_sha256 = var.install_sha256
}

module "client_user_data" {
  source = "./user-data"

  role           = "client"
  settings       = merge(local.settings, var.client_settings)
  token          = var.client_token
  release_url    = var.release_url
  install_sha256 = var.install_sha256
}

data "linode_region" "this" {
  id = var.region

  lifecycle {
    postcondition {
      condition     = contains(self.capabilities, var.network == "vlan" ? "Vlans" : "VPCs") && contains(self.capabilities, "Metadata")
      error_message = "The region ${var.region} does not offer what network = ${var.network} and first boots need."
    }
  }
}

resource "linode_vpc" "this" {
  count  = var.network == "vpc" ? 1 : 0
  label  = var.name
  region = var.region
}

resource "linode_vpc_subnet" "this" {
  count  = var.network == "vpc" ? 1 : 0
  vpc_id = linode_vpc.this[0].id
  label  = var.name
  ipv4   = var.network_cidr
}

resource "linode_placement_group" "servers" {
  count                = var.placement_group ? 1 : 0
  label                = "${var.name}-servers"
  region               = var.region
  placement_group_type = "anti_affinity:local"

  lifecycle {
    precondition {
      condition     = var.server_count <= 5
      error_message = "A placement group keeps up to 5 servers apart: lower server_count, or leave placement_group away."
    }
  }
}

# Nothing is open but SSH and what was asked for. A VLAN is not filtered; a VPC is, and its own traffic let through.
resource "linode_firewall" "nodes" {
  for_each        = toset(["server", "client"])
  label           = "${var.name}-${each.key}s"
  inbound_policy  = "DROP"
  outbound_policy = "ACCEPT"

  inbound {
    label    = "ssh"
    action   = "ACCEPT"
    protocol = "TCP"
    ports    = "22"
    ipv4     = var.ssh_sources.ipv4
    ipv6     = var.ssh_sources.ipv6
  }

  dynamic "inbound" {
    for_each = each.key == "client" && length(var.public_ports) > 0 ? [join(", ", var.public_ports)] : []
    content {
      label    = "public-ports"
      action   = "ACCEPT"
      protocol = "TCP"
      ports    = inbound.value
      ipv4     = ["0.0.0.0/0"]
      ipv6     = ["::/0"]
    }
  }

  dynamic "inbound" {
    for_each = var.network == "vpc" ? ["TCP", "UDP", "ICMP"] : []
    content {
      label    = "vpc-${lower(inbound.value)}"
      action   = "ACCEPT"
      protocol = inbound.value
      ports    = inbound.value == "ICMP" ? null : "1-65535"
      ipv4     = [var.network_cidr]
    }
  }
}

resource "linode_instance" "servers" {
  for_each        = local.servers
  label           = each.key
  region          = data.linode_region.this.id
  type            = var.server_type
  image           = var.linode_image
  root_pass       = var.root_password
  authorized_keys = [for key in var.ssh_keys : trimspace(key)]
  tags            = [var.name, "nomad-server"]
  firewall_id     = linode_firewall.nodes["server"].id

  # Where an account has Linode's new interfaces by default, the blocks below would be refused.
  interface_generation = "legacy_config"

  metadata {
    user_data = base64encode(module.server_user_data.text)
  }

  dynamic "placement_group" {
    for_each = linode_placement_group.servers
    content {
      id = placement_group.value.id
    }
  }

  interface {
    purpose = "public"
    primary = true
  }

  interface {
    purpose      = var.network
    label        = var.network == "vlan" ? var.name : null
    ipam_address = var.network == "vlan" ? "${each.value}/${local.prefix_length}" : null
    subnet_id    = var.network == "vpc" ? linode_vpc_subnet.this[0].id : null

    dynamic "ipv4" {
      for_each = var.network == "vpc" ? [each.value] : []
      content {
        vpc = ipv4.value
      }
    }
  }

  lifecycle {
    # Each of them would destroy the node and make it anew.
    ignore_changes = [metadata, stackscript_data, image, authorized_keys, root_pass, interface_generation]

    precondition {
      condition     = var.insecure ? var.server_token == null && var.client_token == null : var.server_token != null && (var.client_token != null || var.client_count == 0)
      error_message = "Give server_token and client_token (nomad-bootstrap token create, token client), or say insecure = true without them."
    }
    precondition {
      condition     = startswith(var.release_url, "https://") || var.install_sha256 != null
      error_message = "Over http:// anybody on the way could change install.sh: serve it by https://, or give its install_sha256."
    }
    precondition {
      condition     = local.bootstrap_expect <= var.server_count
      error_message = "bootstrap_expect is more than there are servers: they would never elect a leader."
    }
  }
}

resource "linode_instance" "clients" {
  for_each        = local.clients
  label           = each.key
  region          = data.linode_region.this.id
  type            = var.client_type
  image           = var.linode_image
  root_pass       = var.root_password
  authorized_keys = [for key in var.ssh_keys : trimspace(key)]
  tags            = [var.name, "nomad-client"]
  firewall_id     = linode_firewall.nodes["client"].id

  # Where an account has Linode's new interfaces by default, the blocks below would be refused.
  interface_generation = "legacy_config"

  metadata {
    user_data = base64encode(module.client_user_data.text)
  }

  interface {
    purpose = "public"
    primary = true
  }

  interface {
    purpose      = var.network
    label        = var.network == "vlan" ? var.name : null
    ipam_address = var.network == "vlan" ? "${each.value}/${local.prefix_length}" : null
    subnet_id    = var.network == "vpc" ? linode_vpc_subnet.this[0].id : null

    dynamic "ipv4" {
      for_each = var.network == "vpc" ? [each.value] : []
      content {
        vpc = ipv4.value
      }
    }
  }

  lifecycle {
    ignore_changes = [metadata, stackscript_data, image, authorized_keys, root_pass, interface_generation]
  }
}

# Anew for each node that is made anew, and for no other.
resource "terraform_data" "healthy" {
  for_each         = { for label, node in local.nodes : label => node if var.wait_for_health }
  triggers_replace = each.value.id

  connection {
    host        = each.value.address
    user        = "root"
    private_key = var.ssh_private_key_file == null ? null : file(pathexpand(var.ssh_private_key_file))
    agent       = var.ssh_private_key_file == null
    timeout     = "10m"
  }

  provisioner "remote-exec" {
    inline = [
      "timeout 1200 cloud-init status --wait >/dev/null || echo 'the first boot failed: /var/log/cloud-init-output.log says why'",
      "nomad-bootstrap verify --wait 300",
    ]
  }
}
