/**
 * What the structured ("alpha") configuration says beyond single options: upstreams, headers, parameters of
 * the sign-in address. The older options become the same, so that both are checked and built in one place.
 */
export interface SecretSourceInput {
  readonly value: string | null;
  readonly fromEnv: string | null;
  readonly fromFile: string | null;
}

/** Where it was said: the option's name and its place, for findings. */
export interface Said {
  readonly option: string;
  readonly source: string;
}

export interface UpstreamInput extends Said {
  readonly id: string;
  readonly path: string;
  readonly rewriteTarget: string;
  readonly uri: string;
  readonly isStatic: boolean;
  readonly staticCode: number | null;
  readonly insecureSkipTlsVerify: boolean;
  readonly passHostHeader: boolean;
  readonly proxyWebSockets: boolean;
  readonly disableKeepAlives: boolean;
  readonly flushMs: number;
  readonly timeoutMs: number;
}

export interface ClaimSourceInput {
  readonly claim: string;
  readonly prefix: string;
  readonly basicAuthPassword: SecretSourceInput | null;
}

export type HeaderValueInput =
  | { readonly kind: 'secret'; readonly source: SecretSourceInput }
  | { readonly kind: 'claim'; readonly source: ClaimSourceInput };

export interface HeaderInput extends Said {
  readonly name: string;
  readonly preserveRequestValue: boolean;
  readonly insecureSkipHeaderNormalization: boolean;
  readonly values: readonly HeaderValueInput[];
}

export interface LoginParameterInput extends Said {
  readonly name: string;
  readonly default: readonly string[];
  readonly allow: readonly { readonly value: string | null; readonly pattern: string | null }[];
}

export interface TlsInput {
  readonly certificate: SecretSourceInput | null;
  readonly key: SecretSourceInput | null;
}

export interface Structured {
  /** Of `--alpha-config`, not of the older options. */
  readonly isAlpha: boolean;
  readonly upstreams: readonly UpstreamInput[];
  readonly requestHeaders: readonly HeaderInput[];
  readonly responseHeaders: readonly HeaderInput[];
  readonly loginParameters: readonly LoginParameterInput[];
  readonly additionalClaims: readonly string[];
  readonly adfsSkipsScope: boolean;
  readonly tls: TlsInput | null;
  readonly metricsTls: TlsInput | null;
}
