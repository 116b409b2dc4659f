/**
 * Parameters of a request: of its query, and of a form that was sent. Only the form's own are taken for
 * secrets, so that no password is ever read from an address. Bounded; what cannot be read is said.
 */
import type { Exchange } from '../../wire/exchange.ts';

export type Form =
  | { readonly kind: 'form'; readonly fields: URLSearchParams }
  /** The status that says why. */
  | { readonly kind: 'unreadable'; readonly status: 400 | 413 };

const MAX_BYTES = 64 * 1024;
const FORM_TYPE = /^application\/x-www-form-urlencoded\s*(?:;|$)/i;
const BAD_ESCAPE = /%(?![0-9a-f]{2})/i;
/** Whose body is a form, as Go's ParseForm has it. */
const WITH_FORM: readonly string[] = ['POST', 'PUT', 'PATCH'];

/** The sent form; an empty one where none was sent. */
export async function readForm(exchange: Exchange): Promise<Form> {
  const type = exchange.request.headers.get('content-type') ?? '';
  if (!WITH_FORM.includes(exchange.request.method) || !FORM_TYPE.test(type))
    return { kind: 'form', fields: new URLSearchParams() };
  const text = await readText(exchange);
  if (text === null) return { kind: 'unreadable', status: 413 };
  return parseForm(text);
}

/** What was sent before what the query has: of one name the first counts. No secret of a person is read this way. */
export async function readFormAndQuery(exchange: Exchange): Promise<Form> {
  const form = await readForm(exchange);
  if (form.kind !== 'form') return form;
  for (const [name, value] of new URLSearchParams(exchange.request.query)) form.fields.append(name, value);
  return form;
}

export function parseForm(text: string): Form {
  if (BAD_ESCAPE.test(text)) return { kind: 'unreadable', status: 400 };
  return { kind: 'form', fields: new URLSearchParams(text) };
}

/** Null where it is too long or breaks off. */
function readText({ body }: Exchange): Promise<string | null> {
  if (body.length > MAX_BYTES) {
    body.cancel();
    return Promise.resolve(null);
  }
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let length = 0;
    body.start({
      write(chunk) {
        length += chunk.length;
        if (length > MAX_BYTES) {
          body.cancel();
          resolve(null);
        } else chunks.push(Buffer.from(chunk));
        return true;
      },
      flush() {},
      end: () => resolve(Buffer.concat(chunks).toString('utf8')),
      abort: () => resolve(null),
    });
  });
}
