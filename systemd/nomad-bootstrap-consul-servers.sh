#!/bin/bash
# consul-servers OWN-ADDRESS: prints the addresses of Consul's servers but OWN-ADDRESS, for Nomad's retry_join (exec=). The same
# machines are Nomad's servers. Without a token: Consul says to everybody on this machine who its raft peers are.
set -euo pipefail

exec 3<>/dev/tcp/127.0.0.1/8500
printf 'GET /v1/status/peers HTTP/1.0\r\nHost: localhost\r\n\r\n' >&3
others=
while read -r -t 15 -d '"' part; do
  # What is between quotes is ADDRESS:8300.
  case $part in
    "$1":8300) ;;
    [0-9]*.*.*.*:8300) others+="${part%:8300}"$'\n' ;;
  esac
done <&3
if [ -z "$others" ]; then
  echo 'Consul knows no other server yet' >&2
  exit 1
fi
printf %s "$others"
