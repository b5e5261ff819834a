#!/usr/bin/env bash
# What the guide "How to Use Nomad for Container Orchestration" has its nodes run first (nomad-installations.sh), rebuilt
# from its text and from two public derivatives of its Terraform example. No `set -e`, as there. Changed:
# - the guide's Docker repository is Ubuntu's whatever the system: here it is the system's own;
# - lsb_release, which the system does not have, is replaced by what it would print;
# - CNI plug-ins 1.9.1 in place of 1.0.0, and no docker-compose-plugin: the mirror has no others;
# - apt-get asks nothing (DEBIAN_FRONTEND), and the keys are written without gpg asking whether to (--yes).
# "stage" lines are the measurement's.
export DEBIAN_FRONTEND=noninteractive
stage() { echo "stage $1 $(date +%s.%N)"; }
codename=$(. /etc/os-release && echo "$VERSION_CODENAME")

stage prerequisites
echo "\$nrconf{restart} = 'l'" >>/etc/needrestart/conf.d/no-prompt.conf
apt-get update -qq
apt install -yq wget gpg coreutils

stage nomad
wget -O- https://apt.releases.hashicorp.com/gpg | gpg --yes --dearmor -o /usr/share/keyrings/hashicorp-archive-keyring.gpg
echo "deb [signed-by=/usr/share/keyrings/hashicorp-archive-keyring.gpg] https://apt.releases.hashicorp.com $codename main" \
  >/etc/apt/sources.list.d/hashicorp.list
apt-get update -qq
apt install -yq nomad

stage cni
arch=$([ "$(uname -m)" = aarch64 ] && echo arm64 || echo amd64)
curl -L -o cni-plugins.tgz "https://github.com/containernetworking/plugins/releases/download/v1.9.1/cni-plugins-linux-$arch-v1.9.1.tgz"
mkdir -p /opt/cni/bin
tar -C /opt/cni/bin -xzf cni-plugins.tgz
cat >/etc/sysctl.d/bridge.conf <<'END'
net.bridge.bridge-nf-call-arptables = 1
net.bridge.bridge-nf-call-ip6tables = 1
net.bridge.bridge-nf-call-iptables = 1
END
modprobe br_netfilter
sysctl -p /etc/sysctl.d/bridge.conf

stage consul
apt install -yq consul

stage docker
apt-get install -yq ca-certificates curl gnupg
mkdir -p /etc/apt/keyrings
curl -fsSL https://download.docker.com/linux/debian/gpg | gpg --yes --dearmor -o /etc/apt/keyrings/docker.gpg
echo "deb [arch=$(dpkg --print-architecture) signed-by=/etc/apt/keyrings/docker.gpg] https://download.docker.com/linux/debian $codename stable" \
  >/etc/apt/sources.list.d/docker.list
apt-get update -qq
apt-get install -yq docker-ce docker-ce-cli containerd.io

stage configuration
