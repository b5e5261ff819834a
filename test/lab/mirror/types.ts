/** One request that reached the mirror, the metadata service included. */
export interface RequestRecord {
  /** ISO 8601. */
  readonly time: string;
  /** The node's address. */
  readonly client: string;
  readonly method: string;
  readonly scheme: 'http' | 'https';
  /** As the client named it, without a port. */
  readonly host: string;
  /** With the query string. */
  readonly path: string;
  /** 0 while it is being answered, or when the connection was broken off before a status. */
  readonly status: number;
  /** Bytes of body sent so far. */
  readonly bytes: number;
  readonly durationMs: number;
}

/** What a fault does to the requests that it matches. */
export type FaultEffect =
  /** Answered with this status instead; a 503 may say when to come back. */
  | { readonly kind: 'status'; readonly status: number; readonly retryAfterSeconds?: number }
  /** After so many bytes of body (default: before the headers) nothing more comes, and the connection stays open. */
  | { readonly kind: 'stall'; readonly afterBytes?: number }
  /** The body is cut off there; the length that was announced is the whole one. */
  | { readonly kind: 'truncate'; readonly afterBytes: number }
  /** One byte in the middle of the body is another one. */
  | { readonly kind: 'corrupt' }
  /** Redirects to itself for ever. */
  | { readonly kind: 'redirect-loop' }
  /** The connection is reset before an answer. */
  | { readonly kind: 'reset' }
  /** The publisher has rotated its key: /gpg and the signatures are the new key's (APT only). */
  | { readonly kind: 'rotated-key' }
  /** /gpg gives a key that signed nothing. */
  | { readonly kind: 'wrong-key' }
  /** The answer starts this much later. Adds to other effects. */
  | { readonly kind: 'delay'; readonly milliseconds: number }
  /** The body comes at this rate. Adds to other effects. */
  | { readonly kind: 'rate'; readonly bytesPerSecond: number };

/** A fault: where it strikes, how often, and what it does. */
export type Fault = FaultEffect & {
  /** Default: every host. */
  readonly host?: string;
  /** Prefix of the path. Default: every path. */
  readonly path?: string;
  /** Strikes that many times, then is gone. Default: until it is removed. */
  readonly times?: number;
};

/** How the metadata service behaves to one node. */
export type MetadataAnswer =
  /** Answers like Linode's, after the delay. */
  | { readonly kind: 'linode'; readonly instance: LinodeInstance; readonly delayMs?: number }
  /** Refuses connections, as where there is no such service (the default). */
  | { readonly kind: 'absent' }
  /** Takes connections and never answers. */
  | { readonly kind: 'silent' };

/** What Linode's metadata service says about an instance (GET /v1/instance and /v1/network). */
export interface LinodeInstance {
  readonly id: number;
  readonly label: string;
  readonly region: string;
  readonly type: string;
  readonly tags: readonly string[];
  readonly image?: string;
  readonly interfaces: readonly {
    readonly label: string;
    readonly purpose: 'public' | 'vlan' | 'vpc';
    readonly ipam_address: string;
  }[];
  /** CIDR strings. */
  readonly ipv4: {
    readonly public: readonly string[];
    readonly private: readonly string[];
    readonly shared: readonly string[];
  };
  /** Served base64-encoded under /v1/user-data. */
  readonly userData?: string;
}

/** How a mirror process is set up; passed to it as a JSON file. */
export interface MirrorSettings {
  /** Holds server.crt and server.key. */
  readonly certificates: string;
  /** The unix socket that takes control calls. */
  readonly socket: string;
  /** Host -> root of its files. */
  readonly sites: Readonly<Record<string, string>>;
  /** Fault variant -> host -> root of files that replace the site's. */
  readonly variants: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly archive: { readonly cache: string; readonly main: string; readonly security: string };
}

/** What control calls there are, with their arguments and results. */
export interface MirrorControl {
  requests(): readonly RequestRecord[];
  forgetRequests(): null;
  /** Gives the fault's number. */
  addFault(fault: Fault): number;
  removeFault(id: number): null;
  clearFaults(): null;
  setMetadata(address: string, answer: MetadataAnswer): null;
}
