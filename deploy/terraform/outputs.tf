output "servers" {
  description = "The servers' public and cluster addresses, by label."
  value       = { for label, node in linode_instance.servers : label => { public = local.nodes[label].address, cluster = local.servers[label] } }
}

output "clients" {
  description = "The clients' public and cluster addresses, by label."
  value       = { for label, node in linode_instance.clients : label => { public = local.nodes[label].address, cluster = local.clients[label] } }
}

output "ui" {
  description = "How to open Nomad's and Consul's user interfaces: a tunnel from your machine."
  value       = "ssh -L 4646:127.0.0.1:4646 -L 8500:127.0.0.1:8500 root@${local.nodes["${var.name}-server-1"].address}   # then http://127.0.0.1:4646/ui and http://127.0.0.1:8500/ui"
}
