import { connect as connectTcp } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Handshake, HandshakeOptions } from '../core/types.ts';

/** With TLS 1.3 a server judges our certificate after the handshake: it says nothing when it takes it. */
const verdictMs = 400;
const foreignCodes = /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ERR_TLS_CERT/;

/** A handshake and nothing else: the connection is closed before anything is said over it. */
export function handshake(address: string, port: number, options: HandshakeOptions): Promise<Handshake> {
  const { preamble, ca, cert, key, serverName, timeoutMs } = options;
  return new Promise(resolve => {
    const tcp = connectTcp({ host: address, port });
    let secured = false;
    const end = (result: Handshake) => {
      clearTimeout(timer);
      tcp.destroy();
      resolve(result);
    };
    const timer = setTimeout(() => end(tcp.connecting ? 'silent' : 'plain'), timeoutMs);
    tcp.once('error', () => end('silent'));
    tcp.once('connect', () => {
      tcp.removeAllListeners('error');
      tcp.write(new Uint8Array([preamble]));
      const tls = connectTls({ socket: tcp, servername: serverName, ca, ...(cert && key ? { cert, key } : {}) });
      tls.once('secureConnect', () => {
        secured = true;
        setTimeout(() => end('accepted'), verdictMs);
      });
      tls.on('error', (error: NodeJS.ErrnoException) => {
        if (secured) end('refused');
        else
          end(foreignCodes.test(error.code ?? '') ? 'foreign' : /ALERT/i.test(error.code ?? '') ? 'refused' : 'plain');
      });
      tls.once('close', () => end(secured ? 'refused' : 'plain'));
    });
  });
}
