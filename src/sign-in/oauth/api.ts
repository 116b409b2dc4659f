/** Questions to a provider's API with somebody's access token. */
import type { ProviderHttp } from '../provider-http.ts';
import { Outage, Refusal } from './failures.ts';
import { isMap, type Claims } from './json.ts';

export interface ApiRequest {
  readonly url: string;
  readonly accessToken: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** JSON to post; left out: GET. */
  readonly body?: string;
}

/** The status is the caller's; what says that nothing was learned is not. */
export async function askApi(http: ProviderHttp, request: ApiRequest): Promise<Response> {
  const { url, accessToken, headers, body } = request;
  const response = await http.fetch(url, {
    headers: {
      accept: 'application/json',
      authorization: `Bearer ${accessToken}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { method: 'POST', body }),
  });
  const { status } = response;
  if (status >= 500 || status === 429) throw new Outage(`"${pathOf(url)}" answered ${status}`);
  return response;
}

/** One JSON object, or a refusal. */
export async function askApiFor(http: ProviderHttp, request: ApiRequest): Promise<Claims> {
  const response = await askApi(http, request);
  if (response.status !== 200) throw new Refusal(`"${pathOf(request.url)}" answered ${response.status}`);
  const body: unknown = await response.json().catch(() => null);
  if (!isMap(body)) throw new Refusal(`"${pathOf(request.url)}" answered no JSON object`);
  return body;
}

/** Without what stands in a query. */
function pathOf(url: string): string {
  const { origin, pathname } = new URL(url);
  return origin + pathname;
}
