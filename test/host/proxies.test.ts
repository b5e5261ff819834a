import { expect, test } from 'vitest';
import { withProxies } from '../../src/host/proxies.ts';

test('a proxy without a scheme is one of http, as curl has it', () => {
  expect(
    withProxies({ HTTPS_PROXY: 'proxy.example:3128', https_proxy: '', NO_PROXY: '.example', PATH: '/bin' }),
  ).toEqual({
    HTTPS_PROXY: 'http://proxy.example:3128',
    https_proxy: '',
    NO_PROXY: '.example',
    PATH: '/bin',
  });
  expect(withProxies({ http_proxy: 'https://a:b@proxy.example' })).toEqual({ http_proxy: 'https://a:b@proxy.example' });
});

test.each(['proxy.example:three', 'socks5://user:secret@proxy.example', 'http://', 'two words'])(
  'what is no address of a proxy is refused, and not shown: %s',
  value => {
    expect(() => withProxies({ HTTPS_PROXY: value })).toThrowError(
      expect.objectContaining({
        code: 'bad-setting',
        message: 'HTTPS_PROXY is no address of a proxy',
        hint: expect.stringContaining('http://USER:PASSWORD@HOST:PORT'),
      }),
    );
  },
);
