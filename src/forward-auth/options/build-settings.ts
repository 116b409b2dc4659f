/** Everything that was said, as settings; faults are findings of the context. */
import { buildHeaders, buildUpstreams } from './build-app.ts';
import { buildCookie, buildStore } from './build-cookie.ts';
import { buildMetrics, buildPaths, buildRedirects, buildServer, buildTrust } from './build-front.ts';
import { buildLogging, buildPages } from './build-pages.ts';
import { buildAdmission, buildBearer, buildHtpasswd, buildSkip } from './build-people.ts';
import { buildProvider } from './build-provider.ts';
import type { BuildContext } from './context.ts';
import type { Settings } from '../settings.ts';

export function build(context: BuildContext): Settings {
  return {
    paths: buildPaths(context),
    server: buildServer(context),
    metrics: buildMetrics(context),
    trust: buildTrust(context),
    redirects: buildRedirects(context),
    admission: buildAdmission(context),
    skip: buildSkip(context),
    cookie: buildCookie(context),
    store: buildStore(context),
    bearer: buildBearer(context),
    htpasswd: buildHtpasswd(context),
    provider: buildProvider(context),
    upstreams: buildUpstreams(context),
    requestHeaders: buildHeaders(context, context.structured.requestHeaders),
    responseHeaders: buildHeaders(context, context.structured.responseHeaders),
    pages: buildPages(context),
    logging: buildLogging(context),
    compat: { deniedStatus: context.deniedStatus },
  };
}
