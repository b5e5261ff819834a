import type { HostReader } from './types.ts';

/**
 * The same host, asked each thing once: equal queries, requests and readings of text share one answer, a failure
 * included. So a round of checks costs each process and request once and judges one state of the host. Whole files
 * (`readFile`) are not kept: they may be large. Drop it after the round.
 */
export function readOnce(host: HostReader): HostReader {
  return {
    ...host,
    query: once(
      (argv, options) => host.query(argv, options),
      argv => JSON.stringify(argv),
    ),
    readText: once(path => host.readText(path), String),
    list: once(path => host.list(path), String),
    stat: once(path => host.stat(path), String),
    space: once(path => host.space(path), String),
    request: once(
      (url, options) => host.request(url, options),
      (url, options) => JSON.stringify([url, { ...options, timeoutMs: undefined }]),
    ),
  };
}

/** `ask` with its answers kept by `key`, which sees the same arguments. */
function once<A extends readonly unknown[], R>(
  ask: (...question: A) => Promise<R>,
  key: (...question: A) => string,
): (...question: A) => Promise<R> {
  const answers = new Map<string, Promise<R>>();
  return (...question) => {
    const name = key(...question);
    const answer = answers.get(name) ?? ask(...question);
    answers.set(name, answer);
    return answer;
  };
}
