/**
 * What a provider answered, in the shape of fetch, with its body read already. It can be read as often as one likes,
 * and without a stream: of a question about somebody who is signed in, streams were the dearest part.
 */

/** Such answers have no body (RFC 9110 section 6.4.1), and Response insists on it. */
const WITHOUT_BODY = new Set([204, 205, 304]);
/** As `Response.text()` does: a byte order mark is no part of the text (Fetch, "UTF-8 decode"). */
const UTF8 = new TextDecoder();

export class ProviderAnswer extends Response {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  #text: string | null = null;

  constructor(bytes: Uint8Array<ArrayBuffer>, status: number, headers: Headers) {
    super(null, { status, headers });
    this.#bytes = WITHOUT_BODY.has(status) ? new Uint8Array() : bytes;
  }

  /** The text, at once. */
  get read(): string {
    this.#text ??= UTF8.decode(this.#bytes);
    return this.#text;
  }

  override text(): Promise<string> {
    return Promise.resolve(this.read);
  }

  override async json(): Promise<unknown> {
    return JSON.parse(this.read) as unknown;
  }

  override bytes(): Promise<Uint8Array<ArrayBuffer>> {
    return Promise.resolve(new Uint8Array(this.#bytes));
  }

  override arrayBuffer(): Promise<ArrayBuffer> {
    return Promise.resolve(new Uint8Array(this.#bytes).buffer);
  }

  override blob(): Promise<Blob> {
    return Promise.resolve(new Blob([this.#bytes], { type: this.headers.get('content-type') ?? '' }));
  }

  override clone(): ProviderAnswer {
    return new ProviderAnswer(this.#bytes, this.status, new Headers(this.headers));
  }
}
