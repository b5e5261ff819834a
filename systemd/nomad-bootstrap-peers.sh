#!/bin/bash
# peers ADDRESS/PREFIX: finds the other nodes of the cluster on this address's own subnet, and keeps them in /etc/hosts under one
# name. Consul and Nomad resolve the name anew at every attempt to join; without a dot in it, /etc/hosts is all they ask.
# peers --forget: takes those lines away.
# Made by nomad-bootstrap for --join vlan.
set -u

hosts=/etc/hosts
name=nomad-bootstrap-peers
consul_port=8301 # every node of the cluster listens there
nomad_port=4648 # only servers do
at_once=32
patience=0.4 # seconds for an answer: a VLAN is one switch away
most_lines=16

number() { # ADDRESS
  local IFS=.
  # shellcheck disable=SC2086 # split at the dots
  set -- $1
  echo $((($1 << 24) + ($2 << 16) + ($3 << 8) + $4))
}

answering() { # PORT ADDRESS...: those of them that take a connection
  local port=$1 address
  shift
  for address; do
    (exec 3<>"/dev/tcp/$address/$port") && echo "$address" &
  done
  sleep "$patience"
  # shellcheck disable=SC2046 # a list of numbers
  kill $(jobs -p)
  wait
} 2>/dev/null

sweep() { # OWN-ADDRESS PREFIX: what answers on the subnet; of a larger one, on the 1022 addresses around our own
  local own size first last at wave
  own=$(number "$1")
  size=$((1 << (32 - ($2 < 22 ? 22 : $2))))
  first=$((own / size * size + 1))
  last=$((first + size - 3))
  wave=()
  for ((at = first; at <= last; at++)); do
    if [ "$at" != "$own" ]; then wave+=("$((at >> 24)).$((at >> 16 & 255)).$((at >> 8 & 255)).$((at & 255))"); fi
    if [ ${#wave[@]} = "$at_once" ] || [ "$at" = "$last" ]; then
      answering "$consul_port" "${wave[@]}"
      wave=()
    fi
  done
}

others() { # the lines of the file that are not ours
  while IFS= read -r line || [ -n "$line" ]; do
    case $line in
      *[[:blank:]]"$name") ;;
      *) printf '%s\n' "$line" ;;
    esac
  done <"$hosts"
}

remember() { # ADDRESS...: these, and no others; the file is replaced as a whole, and only when it changes
  local new address
  new=$(
    others
    for address; do printf '%s %s\n' "$address" "$name"; done
  )
  [ "$new" != "$(<"$hosts")" ] || return 0
  cp --preserve=all "$hosts" "$hosts.nomad-bootstrap" &&
    printf '%s\n' "$new" >"$hosts.nomad-bootstrap" &&
    mv -f "$hosts.nomad-bootstrap" "$hosts" &&
    echo "$name: $*"
}

if [ "$1" = --forget ]; then
  remember
  exit
fi

SECONDS=0
while true; do
  mapfile -t found < <(sweep "${1%/*}" "${1#*/}")
  if [ ${#found[@]} -gt 0 ]; then
    # Servers first: they are the ones to stay.
    mapfile -t servers < <(answering "$nomad_port" "${found[@]}")
    declare -A known=()
    peers=()
    for address in "${servers[@]}" "${found[@]}"; do
      if [ -n "${known[$address]:-}" ] || [ ${#peers[@]} = "$most_lines" ]; then continue; fi
      known[$address]=yes
      peers+=("$address")
    done
    remember "${peers[@]}"
    sleep 300
  else
    sleep $((SECONDS < 600 ? 5 : 30))
  fi
done
