// rpc.ts: one request over an agent's RPC port as the agents themselves make them, from a call in JSON on standard input.
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { type Packed, pack, unpack } from './msgpack.ts';

/** Sources: helper/pool/conn.go, Nomad 2.0.5; agent/pool/conn.go, Consul 1.21.4. */
export const bytes = {
  nomad: { rpc: 0x01, raft: 0x02, tls: 0x04, streaming: 0x05 },
  consul: { rpc: 0x00, raft: 0x01, tls: 0x03, snapshot: 0x05, insecureTls: 0x07, raftForwarding: 0x09 },
} as const;

export interface RpcCall {
  readonly address: string;
  readonly port: number;
  /** The byte before TLS; absent: no TLS at all. */
  readonly tls?: number;
  readonly certificate?: string;
  readonly key?: string;
  /** The byte that says what is spoken; absent: the port takes it for granted. */
  readonly protocol?: number;
  /** A method with its arguments; absent: raft asks for a vote, in a term that is long over and changes nothing. */
  readonly method?: string;
  readonly body?: Packed;
}

const patienceMs = 8000;
/** A vote for whoever asks, in raft's wire format. Source: hashicorp/raft net_transport.go. */
const requestVote = Buffer.concat([
  Buffer.from([0x01]),
  pack({
    ProtocolVersion: 3,
    ID: 'intruder',
    Addr: 'intruder',
    Term: 0,
    Candidate: 'intruder',
    LastLogIndex: 0,
    LastLogTerm: 0,
    LeadershipTransfer: false,
  }),
]);

function ask(call: RpcCall): Promise<string> {
  return new Promise(resolve => {
    const tcp = connectTcp({ host: call.address, port: call.port });
    const end = (text: string) => {
      tcp.destroy();
      resolve(text);
    };
    setTimeout(() => end('silence'), patienceMs);
    tcp.once('error', error => end(`connection: ${error.message}`));
    tcp.once('connect', () => {
      if (call.tls === undefined) return converse(call, tcp, end);
      tcp.write(Buffer.from([call.tls]));
      const { certificate: cert, key } = call;
      const tls = connectTls({ socket: tcp, rejectUnauthorized: false, ...(cert && key ? { cert, key } : {}) });
      tls.once('error', error => end(`TLS: ${error.message}`));
      tls.once('secureConnect', () => converse(call, tls, end));
    });
  });
}

function converse({ protocol, method, body = {} }: RpcCall, stream: Socket, end: (text: string) => void): void {
  let received: Buffer = Buffer.alloc(0);
  stream.on('data', (data: Buffer) => {
    received = Buffer.concat([received, data]);
    const answer = unpack(received, 2);
    if (answer === undefined) return;
    const [head, reply] = answer;
    const error = typeof head === 'string' ? head : String((head as { Error?: string }).Error ?? '');
    end(error === '' ? `answered: ${JSON.stringify(reply)}` : `error: ${error}`);
  });
  stream.once('error', error => end(`closed: ${error.message}`));
  stream.once('close', () => end('closed without an answer'));
  const request =
    method === undefined ? requestVote : Buffer.concat([pack({ ServiceMethod: method, Seq: 1 }), pack(body)]);
  stream.write(Buffer.concat([Buffer.from(protocol === undefined ? [] : [protocol]), request]));
}

if (process.argv[1] === import.meta.filename) {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk);
  process.stdout.write(await ask(JSON.parse(Buffer.concat(chunks).toString()) as RpcCall));
  process.exit();
}
