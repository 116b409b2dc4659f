/** Route 53's XML as values: hosted zones, TXT record sets, changes, errors. */
import type { Answer } from './answer-shape.ts';
import { quoteTxt, unquoteTxt } from './txt-text.ts';
import type { RecordSet } from './value-sets.ts';
import { elementsOf, escapeXml, textOf } from './xml-text.ts';

const NAMESPACE = 'https://route53.amazonaws.com/doc/2013-04-01/';

export interface HostedZone {
  readonly id: string;
  /** With its trailing dot. */
  readonly name: string;
  readonly isPrivate: boolean;
}

export function hostedZonesOf(xml: string): readonly HostedZone[] {
  return elementsOf(xml, 'HostedZone').map((one) => ({
    id: (textOf(one, 'Id') ?? '').replace('/hostedzone/', ''),
    name: textOf(one, 'Name') ?? '',
    isPrivate: textOf(one, 'PrivateZone') === 'true',
  }));
}

/** The TXT set of exactly this name: the list goes on with whatever comes after it. */
export function recordSetOf(xml: string, fqdn: string): RecordSet {
  const isIt = (one: string): boolean => textOf(one, 'Name') === `${fqdn}.` && textOf(one, 'Type') === 'TXT';
  const set = elementsOf(xml, 'ResourceRecordSet').find(isIt);
  if (set === undefined) return { values: [] };
  const values = elementsOf(set, 'ResourceRecord').map((one) => unquoteTxt(textOf(one, 'Value') ?? ''));
  return { values, ttl: Number(textOf(set, 'TTL')) };
}

export interface ChangeBatch {
  readonly fqdn: string;
  readonly ttl: number;
  readonly before: readonly string[];
  readonly after: readonly string[];
}

/** Deletes the set as it was read and creates it anew: refused as a whole where it is no longer as it was. */
export function changeBatchXml({ fqdn, ttl, before, after }: ChangeBatch): string {
  const change = (action: 'CREATE' | 'DELETE', values: readonly string[]): string => {
    if (values.length === 0) return '';
    const records = values.map((one) => `<ResourceRecord><Value>${escapeXml(quoteTxt(one))}</Value></ResourceRecord>`);
    const set = `<Name>${escapeXml(fqdn)}.</Name><Type>TXT</Type><TTL>${ttl}</TTL><ResourceRecords>${records.join('')}</ResourceRecords>`;
    return `<Change><Action>${action}</Action><ResourceRecordSet>${set}</ResourceRecordSet></Change>`;
  };
  const changes = change('DELETE', before) + change('CREATE', after);
  return `<?xml version="1.0" encoding="UTF-8"?><ChangeResourceRecordSetsRequest xmlns="${NAMESPACE}"><ChangeBatch><Changes>${changes}</Changes></ChangeBatch></ChangeResourceRecordSetsRequest>`;
}

export function errorWordsOf(xml: string): string | null {
  const message = textOf(xml, 'Message');
  return message === null ? null : `${message} (${textOf(xml, 'Code') ?? 'no code'})`;
}

const TRANSIENT = /^(?:PriorRequestNotComplete|Throttling|ThrottlingException)$/;
const REFUSED =
  /^(?:InvalidClientTokenId|SignatureDoesNotMatch|AccessDenied|AccessDeniedException|ExpiredToken|IncompleteSignature|MissingAuthenticationToken)$/;

const codeOf = ({ status, text }: Answer): string => (status < 400 ? '' : (textOf(text, 'Code') ?? ''));

export const isTransient = (answer: Answer): boolean => TRANSIENT.test(codeOf(answer));
export const isRefusal = (answer: Answer): boolean => REFUSED.test(codeOf(answer));
/** The batch did not fit what is there: somebody changed it. */
export const isConflict = (answer: Answer): boolean =>
  codeOf(answer) === 'InvalidChangeBatch' && /already exists|not found|do not match/i.test(answer.text);
