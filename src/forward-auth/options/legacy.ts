/** The older options in structured form, for settings without `--alpha-config`. */
import { legacyRequestHeaders, legacyResponseHeaders } from './legacy-headers.ts';
import { legacyUpstreams } from './legacy-upstreams.ts';
import type { LoginParameterInput, Structured, TlsInput } from './structured.ts';
import type { Told } from './told.ts';

export function legacyStructured(told: Told): Structured {
  return {
    isAlpha: false,
    upstreams: legacyUpstreams(told),
    requestHeaders: legacyRequestHeaders(told),
    responseHeaders: legacyResponseHeaders(told),
    loginParameters: loginParameters(told),
    additionalClaims: [],
    adfsSkipsScope: false,
    tls: tlsOf(told, 'tls_cert_file', 'tls_key_file'),
    metricsTls: tlsOf(told, 'metrics_tls_cert_file', 'metrics_tls_key_file'),
  };
}

/** `prompt` takes the place of `approval_prompt`, which is sent otherwise. */
function loginParameters(told: Told): readonly LoginParameterInput[] {
  const parameter = (option: string): LoginParameterInput => ({
    option,
    source: told.sourceOf(option),
    name: option,
    default: [told.string(option) || 'force'],
    allow: [],
  });
  const prompt = parameter(told.text('prompt') === null ? 'approval_prompt' : 'prompt');
  return told.text('acr_values') === null ? [prompt] : [parameter('acr_values'), prompt];
}

function tlsOf(told: Told, certificate: string, key: string): TlsInput | null {
  if (told.text(certificate) === null && told.text(key) === null) return null;
  const fromFile = (option: string): TlsInput['key'] =>
    told.text(option) === null ? null : { value: null, fromEnv: null, fromFile: told.string(option) };
  return { certificate: fromFile(certificate), key: fromFile(key) };
}
