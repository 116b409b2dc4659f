/** Reads a provider's answer with zod, once: what has another shape than documented is told as such. */
import * as z from 'zod';
import { dnsError } from './dns-error.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** Parsed JSON; undefined where it is none. */
  readonly json: unknown;
}

export interface Reader {
  readonly provider: string;
  readonly host: string;
}

export function readAnswer<T>(answer: Answer, shape: z.ZodType<T>, step: string, { provider, host }: Reader): T {
  const result = shape.safeParse(answer.json);
  if (result.success) return result.data;
  const title = titleOf(answer.text);
  const what = `${host} answered ${answer.status} with ${title === null ? 'something else than it documents' : 'a web page'}`;
  const words = title ?? z.prettifyError(result.error);
  const facts = { host, status: answer.status };
  throw dnsError({ code: 'DNS_PROVIDER_UNAVAILABLE', step, provider, what, words, facts });
}

/** What a web page says: its title, or its text. Null for what is no web page. */
export function titleOf(text: string): string | null {
  if (!/<html|<!doctype html/i.test(text)) return null;
  const title = /<title[^>]{0,200}>([^<]{1,300})/i.exec(text)?.[1];
  return title ?? text.slice(0, 4000).replaceAll(/<[^<>]{0,1000}>/g, ' ');
}
