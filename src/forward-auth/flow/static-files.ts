/** `/oauth2/static/*`: the style sheet of our pages, for templates of the operator's own. */
import { STYLE } from '../../sign-in/pages/style.ts';
import { HeaderBlock } from '../../wire/header-block.ts';
import type { FrontRequest } from '../front-request.ts';

const STYLE_NAME = '/static/postern.css';

export function sendStatic(prefix: string, request: FrontRequest): void {
  const isStyle = request.exchange.request.path === prefix + STYLE_NAME;
  const headers = HeaderBlock.from({
    'Content-Type': isStyle ? 'text/css; charset=utf-8' : 'text/plain; charset=utf-8',
    'X-Content-Type-Options': 'nosniff',
    'Cache-Control': isStyle ? 'max-age=3600' : 'no-cache',
  });
  request.exchange.respondWhole({ status: isStyle ? 200 : 404, headers }, isStyle ? STYLE : '404 page not found\n');
}
