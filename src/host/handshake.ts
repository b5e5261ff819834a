import { connect as connectTcp } from 'node:net';
import type { Handshake, HandshakeOptions } from '../core/types.ts';

/** With TLS 1.3 a server judges our certificate after the handshake: it says nothing when it takes it. */
const verdictMs = 400;
/** What a server says that speaks nothing older than TLS 1.3. */
const tooOld = /PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL/;
const foreignCodes = /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ERR_TLS_CERT/;

/**
 * A handshake and nothing else: the connection is closed before anything is said over it. By TLS 1.2, where the server's verdict on our
 * certificate is part of the handshake; where that is not spoken, by TLS 1.3 and a short wait for the verdict.
 */
export async function handshake(address: string, port: number, options: HandshakeOptions): Promise<Handshake> {
  const { connect } = await import('node:tls');
  // By TLS 1.3 alone we judge its certificate before it judges ours: by 1.2 it refuses us, and we never come to see whose it is.
  if (options.serverOnly === true) return (await attempt('TLSv1.3')) as Handshake;
  const first = await attempt('TLSv1.2');
  return first === 'too old' ? ((await attempt('TLSv1.3')) as Handshake) : first;

  function attempt(maxVersion: 'TLSv1.2' | 'TLSv1.3'): Promise<Handshake | 'too old'> {
    const { preamble, ca, cert, key, serverName, timeoutMs } = options;
    return new Promise(resolve => {
      const tcp = connectTcp({ host: address, port });
      let secured = false;
      const end = (result: Handshake | 'too old') => {
        clearTimeout(timer);
        tcp.destroy();
        resolve(result);
      };
      const timer = setTimeout(() => end(tcp.connecting ? 'silent' : 'plain'), timeoutMs);
      tcp.once('error', () => end('silent'));
      tcp.once('connect', () => {
        tcp.removeAllListeners('error');
        tcp.write(new Uint8Array([preamble]));
        const own = cert && key ? { cert, key } : {};
        const tls = connect({ socket: tcp, servername: serverName, ca, maxVersion, ...own });
        tls.once('secureConnect', () => {
          secured = true;
          if (maxVersion === 'TLSv1.2' || options.serverOnly === true) end('accepted');
          else setTimeout(() => end('accepted'), verdictMs);
        });
        tls.on('error', ({ code = '' }: NodeJS.ErrnoException) => {
          if (secured) end('refused');
          else if (tooOld.test(code)) end(maxVersion === 'TLSv1.2' ? 'too old' : 'refused');
          // An alert is the server's word, and its name may hold that of a certificate.
          else if (/ALERT/i.test(code)) end('refused');
          else end(foreignCodes.test(code) ? 'foreign' : 'plain');
        });
        tls.once('close', () => end(secured ? 'refused' : 'plain'));
      });
    });
  }
}
