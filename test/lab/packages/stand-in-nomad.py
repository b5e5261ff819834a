#!/usr/bin/python3
"""A stand-in for Nomad, packaged by the lab where no real Nomad can be had.

It validates a configuration, forms a cluster with its like, registers with a real Consul and answers the part of the HTTP
API that health checks read, in the shapes of Nomad 2.0.5. It runs no jobs, has no Raft, no ACLs and no TLS: what it says
about consensus is a majority of processes that hear each other. It calls itself a stand-in wherever it names its version.
"""

import hashlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

VERSION = "2.0.5"
FULL_VERSION = VERSION + "+stand-in"
FAILED_AFTER = 6.0  # seconds of silence, after which a server counts as failed (the real one takes longer)
LEADER_HOLD = 5.0  # seconds that a request waits for a leader, as in the real one

# --- HCL: what agent configurations use of it -----------------------------------------------------------------------

TOKEN = re.compile(
    r"""\s+|\#[^\n]*|//[^\n]*|/\*.*?\*/|(?P<string>"(?:[^"\\]|\\.)*")|(?P<number>-?\d+(?:\.\d+)?)(?![\w-])"""
    r"""|(?P<word>[A-Za-z_][\w.-]*)|(?P<mark>[{}\[\]=,:])""",
    re.DOTALL,
)

# The keys at the top level of an agent's configuration, and in its server and client blocks; others are errors.
TOP_KEYS = set(
    """region datacenter name data_dir plugin_dir bind_addr addresses ports advertise interfaces server client telemetry
    leave_on_interrupt leave_on_terminate enable_syslog syslog_facility log_level log_file log_json log_include_location
    log_rotate_bytes log_rotate_duration log_rotate_max_files disable_update_check disable_anonymous_signature
    http_api_response_headers plugin limits audit sentinel autopilot acl tls consul vault ui keyring reporting enable_debug
    rpc eventlog""".split()
)
SERVER_KEYS = set(
    """enabled authoritative_region bootstrap_expect data_dir protocol_version raft_protocol raft_multiplier num_schedulers
    enabled_schedulers node_gc_threshold job_gc_threshold job_gc_interval eval_gc_threshold deployment_gc_threshold
    heartbeat_grace min_heartbeat_ttl max_heartbeats_per_second server_join encrypt non_voting_server redundancy_zone
    upgrade_version plan_rejection_tracker client_introduction default_scheduler_config event_buffer_size
    raft_snapshot_threshold raft_snapshot_interval raft_trailing_logs root_key_rotation_threshold start_timeout
    enable_event_broker csi_volume_claim_gc_threshold license_path search oidc_issuer job_max_count retry_join start_join
    raft_logstore raft_boltdb""".split()
)
CLIENT_KEYS = set(
    """enabled state_dir alloc_dir alloc_mounts_dir servers server_join node_class node_pool options meta network_interface
    network_speed cpu_total_compute memory_total_mb disk_total_mb disk_free_mb reserved chroot_env host_volume
    host_volumes_dir host_volume_plugin_dir host_network cni_path cni_config_dir bridge_network_name bridge_network_subnet
    bridge_network_subnet_ipv6 bridge_network_hairpin_mode max_kill_timeout client_min_port client_max_port
    min_dynamic_port max_dynamic_port reserveable_cores gc_interval gc_disk_usage_threshold gc_inode_usage_threshold
    gc_max_allocs gc_parallel_destroys no_host_uuid template artifact nomad_service_discovery disable_remote_exec
    drain_on_shutdown cgroup_parent bind_wildcard_default_host_network preferred_address_family node_max_allocs users
    fingerprint default_ineligible cpu_disable_dmidecode drain_on_shutdown intro_token gc_volumes_on_node_gc""".split()
)


class ConfigurationError(Exception):
    pass


def tokens(text):
    at = 0
    while at < len(text):
        match = TOKEN.match(text, at)
        if not match:
            raise ConfigurationError(f"illegal character {text[at]!r} at {text.count(chr(10), 0, at) + 1}")
        at = match.end()
        if match.lastgroup:
            yield match.lastgroup, match.group(match.lastgroup)
    yield "end", ""


class Parser:
    """Blocks become lists of (labels, body); attributes become values."""

    def __init__(self, text):
        self.stream = list(tokens(text))
        self.at = 0

    def peek(self):
        return self.stream[self.at]

    def next(self):
        token = self.stream[self.at]
        self.at += 1
        return token

    def body(self, closing):
        found = {}
        while self.peek() != closing:
            kind, text = self.next()
            if kind not in ("word", "string"):
                raise ConfigurationError(f"object expected closing RBRACE got: {'EOF' if kind == 'end' else text}")
            key = json.loads(text) if kind == "string" else text
            if self.peek() in (("mark", "="), ("mark", ":")):
                self.next()
                found[key] = self.value()
                if self.peek() == ("mark", ","):
                    self.next()
                continue
            labels = []
            while self.peek()[0] in ("string", "word"):
                kind, text = self.next()
                labels.append(json.loads(text) if kind == "string" else text)
            if self.next() != ("mark", "{"):
                raise ConfigurationError(f"key {key!r} expected start of object ('{{') or assignment ('=')")
            inner = self.body(("mark", "}"))
            self.next()
            found.setdefault(key, [])
            if isinstance(found[key], list):
                found[key].append((labels, inner))
        return found

    def value(self):
        kind, text = self.next()
        if kind == "string":
            return json.loads(text)
        if kind == "number":
            return float(text) if "." in text else int(text)
        if kind == "word" and text in ("true", "false"):
            return text == "true"
        if (kind, text) == ("mark", "["):
            items = []
            while self.peek() != ("mark", "]"):
                items.append(self.value())
                if self.peek() == ("mark", ","):
                    self.next()
            self.next()
            return items
        if (kind, text) == ("mark", "{"):
            inner = self.body(("mark", "}"))
            self.next()
            return [([], inner)]
        raise ConfigurationError(f"unknown token: {text or 'EOF'}")


def merge(base, other):
    """Later files win, blocks are merged, zero values are ignored: as the agent does it."""
    for key, value in other.items():
        former = base.get(key)
        if isinstance(value, list) and value and isinstance(value[0], tuple):
            if key in ("server", "client", "addresses", "ports", "advertise", "consul", "telemetry", "acl", "tls") and former:
                merge(former[0][1], value[0][1])
            else:
                base[key] = (former or []) + value
        elif value not in (False, 0, "", []) or key not in base:
            base[key] = value
    return base


def load(paths):
    configuration = {}
    files = []
    for path in paths:
        if os.path.isdir(path):
            files += [os.path.join(path, name) for name in sorted(os.listdir(path)) if name.endswith((".hcl", ".json"))]
        elif os.path.exists(path):
            files.append(path)
        else:
            raise ConfigurationError(f"Error loading configuration from {path}: stat {path}: no such file or directory")
    for file in files:
        with open(file, encoding="utf-8") as handle:
            try:
                parsed = Parser(handle.read()).body(("end", ""))
                reject_unknown(parsed, TOP_KEYS, "")
                for block, keys in (("server", SERVER_KEYS), ("client", CLIENT_KEYS)):
                    for _, body in blocks(parsed, block):
                        reject_unknown(body, keys, block + " ")
            except ConfigurationError as error:
                raise ConfigurationError(f"1 error occurred:\n\t* Error loading configuration from {file}: {error}\n")
        merge(configuration, parsed)
    if not configuration:
        raise ConfigurationError(f"No configuration loaded from {', '.join(paths)}")
    return configuration


def reject_unknown(body, known, where):
    unknown = [key for key in body if key not in known]
    if unknown:
        raise ConfigurationError(f"{where}unexpected keys {', '.join(unknown)}")


def blocks(body, name):
    found = body.get(name) or []
    return found if isinstance(found, list) and all(isinstance(item, tuple) for item in found) else []


def block(body, name):
    return blocks(body, name)[0][1] if blocks(body, name) else {}


def check(configuration):
    server, client = block(configuration, "server"), block(configuration, "client")
    if not server.get("enabled") and not client.get("enabled"):
        raise ConfigurationError("Must specify either server, client or dev mode for the agent.")
    if not configuration.get("data_dir"):
        raise ConfigurationError("Must specify \"data_dir\" config option or \"data-dir\" CLI flag")
    join = block(server, "server_join").get("retry_join", [])
    if server.get("enabled") and not isinstance(join, list):
        raise ConfigurationError("retry_join is a list")
    return configuration


# --- the agent ------------------------------------------------------------------------------------------------------


class Agent:
    def __init__(self, configuration):
        self.configuration = configuration
        server, client = block(configuration, "server"), block(configuration, "client")
        self.is_server, self.is_client = bool(server.get("enabled")), bool(client.get("enabled"))
        self.server, self.client = server, client
        self.name = configuration.get("name") or socket.gethostname()
        self.region = configuration.get("region", "global")
        self.datacenter = configuration.get("datacenter", "dc1")
        self.data_dir = configuration["data_dir"]
        self.bind = configuration.get("bind_addr", "0.0.0.0")
        advertise = block(configuration, "advertise")
        fallback = self.bind if self.bind != "0.0.0.0" else own_address()
        self.advertise = {kind: advertise.get(kind, fallback) for kind in ("http", "rpc", "serf")}
        self.expect = int(server.get("bootstrap_expect", 1))
        self.lock = threading.RLock()
        self.started = time.time()
        self.id = self.keep("server/node-id" if self.is_server else "client/client-id")
        self.node_id = self.keep("client/client-id") if self.is_client else None
        if self.is_client:
            self.keep("client/secret-id")
        self.peers_file = os.path.join(self.data_dir, "server", "stand-in-peers.json")
        self.voters = self.read_voters()
        self.term, self.leader = 0, None
        self.nodes = {}
        self.known_servers = []
        self.members = {}
        if self.is_server:
            self.members[self.id] = {**self.describe(), "heard": time.time()}

    def keep(self, file):
        path = os.path.join(self.data_dir, file)
        if not os.path.exists(path):
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
            with open(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "w", encoding="utf-8") as handle:
                handle.write(str(uuid.uuid4()))
        with open(path, encoding="utf-8") as handle:
            return handle.read().strip()

    def read_voters(self):
        try:
            with open(self.peers_file, encoding="utf-8") as handle:
                return json.load(handle)
        except (OSError, ValueError):
            return []

    def describe(self):
        return {
            "id": self.id,
            "name": f"{self.name}.{self.region}",
            "address": self.advertise["rpc"],
            "region": self.region,
            "dc": self.datacenter,
            "expect": self.expect,
            "since": self.started,
        }

    # Servers tell each other once a second whom they have heard of; a leader is whom a majority can hear.

    def gossip(self):
        addresses = set(block(self.server, "server_join").get("retry_join", []))
        with self.lock:
            addresses |= {member["address"] for member in self.members.values()}
        for address in addresses - {self.advertise["rpc"]}:
            threading.Thread(target=self.greet, args=(address,), daemon=True).start()
        with self.lock:
            self.members[self.id] = {**self.describe(), "heard": time.time()}
            self.elect()

    def greet(self, address):
        try:
            self.hear(rpc(address, "/gossip", self.tell()))
        except (OSError, ValueError):
            pass

    def tell(self):
        with self.lock:
            return {
                "from": self.describe(),
                "members": [{k: v for k, v in member.items() if k != "heard"} for member in self.members.values()],
                "term": self.term,
                "leader": self.leader,
                "voters": self.voters,
                "nodes": self.nodes,
            }

    def hear(self, news):
        with self.lock:
            self.members[news["from"]["id"]] = {**news["from"], "heard": time.time()}
            for member in news["members"]:
                self.members.setdefault(member["id"], {**member, "heard": 0.0})
            if news["term"] > self.term:
                self.term, self.leader = news["term"], news["leader"]
            if news["voters"] and len(news["voters"]) >= len(self.voters):
                self.keep_voters(news["voters"])
            for key, node in news["nodes"].items():
                if key not in self.nodes or node["seen"] > self.nodes[key]["seen"]:
                    self.nodes[key] = node

    def keep_voters(self, voters):
        if sorted(voters) == sorted(self.voters):
            return
        self.voters = sorted(voters)
        with open(self.peers_file + ".new", "w", encoding="utf-8") as handle:
            json.dump(self.voters, handle)
        os.replace(self.peers_file + ".new", self.peers_file)

    def elect(self):
        alive = sorted(key for key, member in self.members.items() if self.is_alive(member))
        if not self.voters:
            if len(alive) < self.expect:
                return
            self.keep_voters(alive)
        if self.leader == self.id:
            self.keep_voters(sorted(set(self.voters) | set(alive)))
        voting = [key for key in alive if key in self.voters]
        if len(voting) * 2 <= len(self.voters):
            self.leader = None
        elif self.leader not in voting and voting[0] == self.id:
            self.term, self.leader = self.term + 1, self.id
            log(f"nomad: cluster leadership acquired (stand-in, term {self.term})")

    def is_alive(self, member):
        return time.time() - member["heard"] < FAILED_AFTER

    def leader_address(self):
        with self.lock:
            member = self.members.get(self.leader)
            return f"{member['address']}:4647" if member and self.is_alive(member) else None

    def await_leader(self):
        end = time.time() + LEADER_HOLD
        while time.time() < end:
            if self.leader_address():
                return True
            time.sleep(0.1)
        return False

    # Clients report to any server they can reach.

    def report(self):
        join = list(self.known_servers)
        join += block(self.client, "server_join").get("retry_join", []) + self.client.get("servers", [])
        if self.is_server:
            join.insert(0, self.advertise["rpc"])
        join += consul_servers(self.configuration)
        node = self.fingerprint()
        for address in dict.fromkeys(entry.split(":")[0] for entry in join):
            try:
                self.known_servers = rpc(address, "/register", node)["servers"]
                return
            except (OSError, ValueError):
                continue

    def fingerprint(self):
        attributes = {"nomad.version": FULL_VERSION, "kernel.name": "linux", "os.name": os_release("ID"), "cpu.arch": "amd64"}
        networks = [{"Mode": "host", "Device": self.client.get("network_interface", ""), "IP": self.advertise["http"]}]
        if os.path.exists("/sys/module/bridge"):
            networks.insert(0, {"Mode": "bridge"})
        for plugin, version in cni_versions(self.client.get("cni_path", "/opt/cni/bin")).items():
            attributes[f"plugins.cni.version.{plugin}"] = version
        controllers = read("/sys/fs/cgroup/cgroup.controllers").split()
        isolated = {"cpuset", "cpu", "io", "memory", "pids"} <= set(controllers)
        docker = docker_version()
        if docker:
            attributes.update({"driver.docker": "1", "driver.docker.version": docker})
        raw = any(
            block(body, "config").get("enabled") for labels, body in blocks(self.configuration, "plugin") if "raw_exec" in labels
        )

        def driver(detected, healthy, unhealthy):
            text = "Healthy" if healthy else unhealthy
            now = stamp(time.time())
            return {"Attributes": {}, "Detected": detected, "Healthy": healthy, "HealthDescription": text, "UpdateTime": now}

        return {
            "ID": self.node_id,
            "Name": self.name,
            "Address": self.advertise["http"],
            "HTTPAddr": f"{self.advertise['http']}:4646",
            "Datacenter": self.datacenter,
            "NodePool": self.client.get("node_pool", "default"),
            "NodeClass": self.client.get("node_class", ""),
            "Meta": block(self.client, "meta"),
            "Version": VERSION,
            "Drain": False,
            "SchedulingEligibility": "eligible",
            "StatusDescription": "",
            "Attributes": attributes,
            "Drivers": {
                "docker": driver(docker is not None, docker is not None, "Failed to connect to docker daemon"),
                "exec": driver(True, isolated, "Failed to discover cgroup mount point"),
                "raw_exec": driver(raw, raw, "disabled"),
            },
            "NodeResources": {"Networks": networks},
            "SecretID": "",
        }

    def register_node(self, node):
        with self.lock:
            self.nodes[node["ID"]] = {"seen": time.time(), "node": node}
            alive = [member["address"] for member in self.members.values() if self.is_alive(member)]
        return {"servers": [f"{address}:4647" for address in alive]}

    def node_list(self):
        with self.lock:
            return [
                {**entry["node"], "Status": "ready" if time.time() - entry["seen"] < 30 else "down"}
                for entry in self.nodes.values()
            ]

    # Consul gets the services and checks that a real agent registers.

    def services(self):
        found = []
        if self.is_server:
            http = f"http://{self.http_check_address()}:4646/v1/agent/health?type=server"
            found += [
                ("nomad", "http", self.advertise["http"], 4646, {"Name": "Nomad Server HTTP Check", "HTTP": http}),
                ("nomad", "rpc", self.advertise["rpc"], 4647, {"Name": "Nomad Server RPC Check", "TCP": f"{self.advertise['rpc']}:4647"}),
                ("nomad", "serf", self.advertise["serf"], 4648, {"Name": "Nomad Server Serf Check", "TCP": f"{self.advertise['serf']}:4648"}),
            ]
        if self.is_client:
            http = f"http://{self.http_check_address()}:4646/v1/agent/health?type=client"
            found.append(("nomad-client", "http", self.advertise["http"], 4646, {"Name": "Nomad Client HTTP Check", "HTTP": http}))
        for name, tag, address, port, probe in found:
            digest = hashlib.sha1(f"{name}{tag}{address}{port}".encode()).hexdigest()[:26]
            kind = "server" if name == "nomad" else "client"
            yield {
                "ID": f"_nomad-{kind}-{digest}",
                "Name": name,
                "Tags": [tag],
                "Address": address,
                "Port": port,
                "Check": {**probe, "Interval": "10s", "Timeout": "2s"},
            }

    def http_check_address(self):
        listening = http_addresses(self.configuration, self.bind)
        return self.bind if self.bind in listening else listening[0]

    def register_services(self):
        known = consul(self.configuration, "GET", "/v1/agent/services") or {}
        for service in self.services():
            if service["ID"] not in known:
                consul(self.configuration, "PUT", "/v1/agent/service/register", service)

    def leave(self):
        for service in self.services():
            consul(self.configuration, "PUT", f"/v1/agent/service/deregister/{service['ID']}")


# --- the answers ----------------------------------------------------------------------------------------------------


def member_document(agent, member):
    tags = {"id": member["id"], "role": "nomad", "region": member["region"], "dc": member["dc"], "build": FULL_VERSION}
    tags.update({"port": "4647", "rpc_addr": member["address"], "expect": str(member["expect"]), "raft_vsn": "3", "vsn": "1"})
    if member["expect"] == 1:
        tags["bootstrap"] = "1"
        del tags["expect"]
    status = "alive" if agent.is_alive(member) else "failed"
    versions = {"ProtocolMin": 1, "ProtocolMax": 5, "ProtocolCur": 2, "DelegateMin": 2, "DelegateMax": 5, "DelegateCur": 4}
    return {"Name": member["name"], "Addr": member["address"], "Port": 4648, "Tags": tags, "Status": status, **versions}


def members_document(agent):
    with agent.lock:
        members = [member_document(agent, member) for member in agent.members.values() if member["heard"]]
    return {"ServerName": agent.name, "ServerRegion": agent.region, "ServerDC": agent.datacenter, "Members": members}


def autopilot_document(agent):
    with agent.lock:
        servers = []
        for key in agent.voters:
            member = agent.members.get(key)
            alive = bool(member and agent.is_alive(member))
            servers.append(
                {
                    "ID": key,
                    "Name": member["name"] if member else key,
                    "Address": f"{member['address']}:4647" if member else "",
                    "SerfStatus": "alive" if alive else "failed",
                    "Version": VERSION,
                    "Leader": key == agent.leader,
                    "LastContact": "0s" if key == agent.leader or not alive else "12ms",
                    "LastTerm": agent.term,
                    "LastIndex": 10,
                    "Healthy": alive,
                    "Voter": True,
                    "StableSince": stamp(member["since"] if member else agent.started),
                }
            )
    well = sum(server["Healthy"] for server in servers)
    return {
        "Healthy": well == len(servers),
        "FailureTolerance": max(0, well - (len(servers) // 2 + 1)),
        "Leader": agent.leader,
        "Voters": list(agent.voters),
        "Servers": servers,
    }


def self_document(agent):
    stats = {"runtime": {"kernel.name": "linux", "version": "stand-in"}}
    if agent.is_server:
        stats["nomad"] = {
            "server": "true",
            "leader": str(agent.leader == agent.id).lower(),
            "leader_addr": agent.leader_address() or "",
            "bootstrap": str(agent.expect == 1).lower(),
            "known_regions": "1",
        }
        stats["raft"] = {"state": "Leader" if agent.leader == agent.id else "Follower", "num_peers": str(max(0, len(agent.voters) - 1))}
        stats["serf"] = {"encrypted": "false", "members": str(len(agent.members))}
    if agent.is_client:
        stats["client"] = {"node_id": agent.node_id, "known_servers": ",".join(agent.known_servers), "last_heartbeat": "1s", "heartbeat_ttl": "15s"}
    ports = {"http": 4646, "rpc": 4647, "serf": 4648}
    return {
        "config": {
            "NodeName": agent.name,
            "Region": agent.region,
            "Datacenter": agent.datacenter,
            "BindAddr": agent.bind,
            "Version": {"Version": VERSION, "VersionPrerelease": "", "VersionMetadata": "stand-in", "Revision": ""},
            "AdvertiseAddrs": {key.upper() if key != "serf" else "Serf": f"{agent.advertise[key]}:{port}" for key, port in ports.items()},
            "Server": {"Enabled": agent.is_server, "BootstrapExpect": agent.expect if agent.is_server else 0},
            "Client": {"Enabled": agent.is_client},
        },
        "member": {"Name": f"{agent.name}.{agent.region}"} if agent.is_server else {"Status": "none", "Addr": None},
        "stats": stats,
    }


def health_document(agent, kind):
    answer = {}
    if agent.is_server and kind in (None, "server"):
        led = agent.await_leader()
        answer["server"] = {"ok": led, "message": "ok" if led else "No cluster leader"}
    if agent.is_client and kind in (None, "client"):
        known = bool(agent.known_servers)
        answer["client"] = {"ok": known, "message": "ok" if known else "no known servers"}
    if kind and kind not in answer:
        answer[kind] = {"ok": False, "message": f"{kind} not enabled"}
    return (200 if all(part["ok"] for part in answer.values()) else 500), answer


class Refusal(Exception):
    def __init__(self, status, text):
        super().__init__(text)
        self.status = status


def answer(agent, method, path, query, body):
    """Gives (status, document). What needs a leader waits for one; a client asks a server."""
    if path == "/v1/agent/self":
        return 200, self_document(agent)
    if path == "/v1/agent/health":
        return health_document(agent, query.get("type", [None])[0])
    if path == "/v1/agent/servers":
        if not agent.is_client:
            raise Refusal(501, "Invalid method")
        return 200, agent.known_servers
    if not agent.is_server:
        return forward(agent, method, path, query)
    stale = "stale" in query
    if path == "/v1/agent/members":
        return 200, members_document(agent)
    if path == "/v1/status/leader" and stale:
        return 200, agent.leader_address() or ""
    if not stale and not agent.await_leader():
        raise Refusal(500, "No cluster leader")
    if path == "/v1/status/leader":
        return 200, agent.leader_address()
    if path == "/v1/status/peers":
        with agent.lock:
            known = [agent.members[key]["address"] for key in agent.voters if key in agent.members]
        return 200, [f"{address}:4647" for address in known]
    if path == "/v1/operator/autopilot/health":
        document = autopilot_document(agent)
        return (200 if document["Healthy"] else 429), document
    if path == "/v1/operator/raft/configuration":
        servers = [
            {"ID": entry["ID"], "Node": entry["Name"], "Address": entry["Address"], "Leader": entry["Leader"], "Voter": True, "RaftProtocol": "3"}
            for entry in autopilot_document(agent)["Servers"]
        ]
        return 200, {"Index": 0, "Servers": servers}
    if path == "/v1/nodes":
        return 200, agent.node_list()
    if path.startswith("/v1/node/"):
        for node in agent.node_list():
            if node["ID"] == path.split("/")[3]:
                return 200, [] if path.endswith("/allocations") else node
        raise Refusal(404, "node not found")
    if path in ("/v1/jobs", "/v1/allocations", "/v1/evaluations") and method == "GET":
        return 200, []
    raise Refusal(501, "the lab's stand-in for Nomad does not do this")


def forward(agent, method, path, query):
    end = time.time() + 30
    while time.time() < end:
        for address in agent.known_servers:
            try:
                found = rpc(address.split(":")[0], "/forward", {"method": method, "path": path, "query": query})
                if found["status"] >= 400 and isinstance(found["document"], str):
                    raise Refusal(found["status"], found["document"])
                return found["status"], found["document"]
            except (OSError, ValueError):
                continue
        time.sleep(0.5)
    raise Refusal(500, "No known servers")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    agent = None
    internal = False

    def log_message(self, *_):
        pass

    def do_GET(self):
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else b""
        try:
            if self.internal:
                status, document = self.between_agents(parts.path, json.loads(body or b"null"))
            elif parts.path == "/" or parts.path.startswith("/ui"):
                return self.send(200, "text/html", b"<h1>A stand-in for Nomad</h1><p>Its API answers under /v1/.</p>")
            else:
                status, document = answer(self.agent, self.command, parts.path, parse_qs(parts.query, True), body)
            self.send(status, "application/json", json.dumps(document).encode())
        except Refusal as refusal:
            self.send(refusal.status, "text/plain", str(refusal).encode())

    do_PUT = do_POST = do_DELETE = do_GET

    def between_agents(self, path, body):
        if path == "/gossip":
            self.agent.hear(body)
            return 200, self.agent.tell()
        if path == "/register":
            return 200, self.agent.register_node(body)
        try:
            status, document = answer(self.agent, body["method"], body["path"], body["query"], b"")
        except Refusal as refusal:
            status, document = refusal.status, str(refusal)
        return 200, {"status": status, "document": document}

    def send(self, status, kind, content):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


# --- the world around -----------------------------------------------------------------------------------------------


def rpc(address, path, document):
    request = urllib.request.Request(f"http://{address}:4647{path}", json.dumps(document).encode())
    with urllib.request.urlopen(request, timeout=7) as response:
        return json.load(response)


def consul(configuration, method, path, document=None):
    address = block(configuration, "consul").get("address", "127.0.0.1:8500")
    data = None if document is None else json.dumps(document).encode()
    try:
        request = urllib.request.Request(f"http://{address}{path}", data, method=method)
        with urllib.request.urlopen(request, timeout=5) as response:
            text = response.read()
            return json.loads(text) if text else {}
    except (OSError, ValueError):
        return None


def consul_servers(configuration):
    found = consul(configuration, "GET", "/v1/catalog/service/nomad?tag=rpc") or []
    return [entry["ServiceAddress"] for entry in found]


class UnixConnection(HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(2)
        self.sock.connect("/var/run/docker.sock")


def docker_version():
    try:
        connection = UnixConnection("docker", timeout=2)
        connection.request("GET", "/version")
        return json.load(connection.getresponse())["Version"]
    except (OSError, ValueError, KeyError):
        return None


def cni_versions(folder):
    found = {}
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        try:
            environment = {"CNI_COMMAND": "VERSION", "PATH": os.environ.get("PATH", "")}
            program = os.path.join(folder, name)
            spoken = subprocess.run([program], input="{}", capture_output=True, env=environment, timeout=5, text=True, check=False)
            found[name] = json.loads(spoken.stdout)["cniVersion"]
        except (OSError, ValueError, KeyError, subprocess.TimeoutExpired):
            continue
    return found


def own_address():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return probe.getsockname()[0]
        except OSError:
            return "127.0.0.1"


def http_addresses(configuration, bind):
    return (block(configuration, "addresses").get("http") or bind).split()


def os_release(key):
    match = re.search(rf'^{key}="?([^"\n]*)', read("/etc/os-release"), re.MULTILINE)
    return match.group(1) if match else ""


def read(path):
    try:
        with open(path, encoding="utf-8") as handle:
            return handle.read()
    except OSError:
        return ""


def stamp(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def log(text):
    print(f"    {stamp(time.time())} [INFO]  {text}", flush=True)


def tell_systemd(text):
    target = os.environ.get("NOTIFY_SOCKET")
    if target:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.connect("\0" + target[1:] if target[0] == "@" else target)
            notify.send(text.encode())


def serve(agent, address, port, internal):
    handler = type("BoundHandler", (Handler,), {"agent": agent, "internal": internal})
    server = ThreadingHTTPServer((address, port), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()


def every(seconds, action):
    def run():
        while True:
            try:
                action()
            except Exception as error:  # a stand-in goes on, and says what went wrong
                log(f"stand-in: {error!r}")
            time.sleep(seconds)

    threading.Thread(target=run, daemon=True).start()


def run_agent(paths):
    configuration = check(load(paths))
    agent = Agent(configuration)
    log(f"==> Nomad agent started! Version: {FULL_VERSION} (a stand-in: it runs no jobs)")
    for address in http_addresses(configuration, agent.bind):
        serve(agent, address, 4646, internal=False)
    if agent.is_server:
        serve(agent, agent.bind, 4647, internal=True)
        serve(agent, agent.bind, 4648, internal=False)  # only listens: serf is not spoken
        every(1, agent.gossip)
    if agent.is_client:
        every(2, agent.report)
    every(5, agent.register_services)
    tell_systemd("READY=1")
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    signal.signal(signal.SIGHUP, lambda *_: log("stand-in: reload asked for; nothing to reload"))
    stopping.wait()
    agent.leave()
    return 0


def main(argv):
    if argv[:1] in (["version"], ["-version"], ["--version"], ["-v"]):
        print(f"Nomad v{FULL_VERSION}\nA stand-in for tests: it runs no jobs")
        return 0
    try:
        if argv[:2] == ["config", "validate"]:
            check(load(argv[2:]))
            print("WARNING: mTLS is not configured - Nomad is not secure without mTLS!", file=sys.stderr)
            print("Configuration is valid!")
            return 0
        if argv[:1] == ["agent"]:
            paths = [value for flag, value in zip(argv, argv[1:]) if flag in ("-config", "--config")]
            paths += [item.split("=", 1)[1] for item in argv if item.startswith(("-config=", "--config="))]
            return run_agent(paths)
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        if argv[:1] == ["config"]:
            print("Configuration is invalid", file=sys.stderr)
        return 1
    print("the lab's stand-in for Nomad does: version, config validate, agent", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
