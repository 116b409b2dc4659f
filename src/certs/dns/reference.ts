/** Prints docs/reference/dns-providers.md from the catalogue. */
import { PROVIDER_TYPES } from './catalog.ts';
import type { KeyFacts, Keys } from './provider-keys.ts';
import { type AnyProviderType, COMMON_KEYS } from './provider-type.ts';

const INTRO = `# DNS providers

Generated from \`src/certs/dns/providers/\` by \`scripts/generate-docs.ts\`; edits here are lost.

For certificates by DNS-01, wildcards among them, Postern sets a TXT record \`_acme-challenge.NAME\`, waits until it can be seen, and removes it
afterwards, also after a crash. Each entry of \`dns:\` is one account at one provider:

\`\`\`yaml
dns:
  cloudflare: { type: cloudflare, token: "\${CLOUDFLARE_TOKEN}" }
\`\`\`

Give each account the least that it needs (the column "needs"), and keep the token in the env file or in \`\${file:…}\`.
\`postern config show\` never prints it.

**Where no API key should be on the gateway**, or the provider is not in the list: point \`_acme-challenge.NAME\` by CNAME to a name in a zone that is,
such as one of acme-dns, deSEC or your own name server. CNAMEs are followed, also into other zones; the records go to where they lead.

**Tried against** says what each one was tested with: *twin* is a local server that answers as the provider documents and refuses everything else;
it has not been tried against the provider's own service.
`;

const HOOKS = `
## The webhook's requests

\`\`\`
POST /your/path HTTP/1.1
Authorization: Bearer TOKEN
Content-Type: application/json

{"action":"set","name":"_acme-challenge.app.example.com","value":"LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0"}
\`\`\`

\`action\` is \`set\` or \`remove\`. Any 2xx answer means that it is done, and nothing of its body is read. A name has several values at once: \`set\` keeps the others,
\`remove\` takes one away; each may come twice. 429 and 5xx are tried again, after \`Retry-After\`; the \`error\` of a JSON answer stands in the log.

## The command's arguments

\`COMMAND… set NAME VALUE\` and \`COMMAND… remove NAME VALUE\`, with the same meaning, one at a time for a name. No shell reads them. The environment is \`PATH\`, \`HOME\`
and what \`environment\` gives. Exit code 0 means that it is done; else the end of what it printed stands in the log. After \`timeout\` it is killed with all it started.

## How the record is seen before the CA is asked

The name servers of the zone are looked up with the \`resolvers\`, and each of their addresses is asked directly, over IPv4 and IPv6, until all that answer with
authority have the value: first every second, later every ten. Servers that do not answer, or not for this zone, are left out after three rounds, as a CA's
resolvers would leave them out; at least one has to have the value and none may lack it. After \`propagation_timeout\` the error names each server with what it said.
Where DNS is not let out of the network, \`propagation_delay\` waits that long instead.
Where the resolvers of the machine see the zone differently than the internet does (an internal view of it), set \`resolvers\` to public ones.
`;

export function printDnsReference(): string {
  const rows = PROVIDER_TYPES.map(
    ({ type, title, permission, triedAgainst }) =>
      `| [\`${type}\`](#${type}) | ${title} | ${cell(permission)} | ${triedAgainst} |\n`,
  );
  const table = `| type | provider | needs | tried against |\n| --- | --- | --- | --- |\n${rows.join('')}`;
  const common = `## Keys of every type\n\n${keyTable(COMMON_KEYS)}`;
  return `${INTRO}\n${table}\n${common}\n${PROVIDER_TYPES.map(section).join('\n')}${HOOKS}`;
}

function section({ type, title, documentation, keys, permission, note, triedAgainst }: AnyProviderType): string {
  const api = documentation.startsWith('http') ? ` [Its API](${documentation}).` : '';
  const notes = note === undefined ? '' : ` ${note}`;
  const tried = triedAgainst === 'twin' ? 'its twin' : triedAgainst;
  return `## \`${type}\`\n\n${title}: ${permission}. Tried against ${tried}.${api}${notes}\n\n${keyTable(keys)}\n${exampleOf(type, keys)}`;
}

function keyTable(keys: Keys): string {
  const rows = Object.entries(keys).map(
    ([name, facts]) => `| \`${name}\` | ${defaultOf(facts)} | ${cell(descriptionOf(facts))} |\n`,
  );
  return `| key | default | what it is |\n| --- | --- | --- |\n${rows.join('')}`;
}

function descriptionOf({ description, words }: KeyFacts<unknown>): string {
  if (words === undefined) return description;
  return `${description} One of ${words.map((one) => `\`${one}\``).join(', ')}.`;
}

function defaultOf({ isRequired, default: fallback }: KeyFacts<unknown>): string {
  if (isRequired) return 'needed';
  return fallback === undefined ? '' : `\`${fallback}\``;
}

function exampleOf(type: string, keys: Keys): string {
  const needed = Object.entries(keys).filter(([, { isRequired }]) => isRequired);
  const pairs = needed.map(([name, facts]) => `${name}: ${inline(facts.example ?? '…')}`);
  return `\`\`\`yaml\ndns: { mine: { type: ${type}, ${pairs.join(', ')} } }\n\`\`\`\n`;
}

function inline(value: NonNullable<KeyFacts<unknown>['example']>): string {
  if (Array.isArray(value)) return `[${(value as readonly string[]).map(inline).join(', ')}]`;
  if (typeof value === 'string') return /^[\w./-]+$/.test(value) ? value : JSON.stringify(value);
  return `{ ${Object.entries(value)
    .map(([name, one]) => `${name}: ${inline(one)}`)
    .join(', ')} }`;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
