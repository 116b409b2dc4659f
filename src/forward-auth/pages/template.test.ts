import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { trusted } from '../../sign-in/pages/html.ts';
import { loadTemplates } from './custom-pages.ts';
import { renderTemplate, type TemplateValues } from './template.ts';
import { parseTemplate } from './template-parser.ts';
import { TemplateProblem } from './template-problem.ts';

const RUNS = Number(process.env['POSTERN_FUZZ'] ?? 200);
const VALUES: TemplateValues = {
  A: 'a<b>"c"',
  B: '',
  N: 400,
  T: true,
  H: trusted('<b>x</b>'),
  U: 'javascript:alert(1)',
};
const FIELDS = Object.keys(VALUES);
const render = (source: string, values = VALUES): string =>
  renderTemplate(parseTemplate(source, 'x.html', FIELDS), values);

test('renderTemplate() fills fields, each escaped for where it stands', () => {
  const cases: [source: string, page: string][] = [
    ['<p>{{.A}}</p>', '<p>a&lt;b&gt;&quot;c&quot;</p>'],
    ['<p>{{ .H }}{{.N}}{{.T}}</p>', '<p><b>x</b>400true</p>'],
    [
      '<input value="{{.A}}" title=\'{{.H}}\'>',
      '<input value="a&lt;b&gt;&quot;c&quot;" title=\'&lt;b&gt;x&lt;/b&gt;\'>',
    ],
    ['<a href="{{.U}}">', '<a href="#">'],
    ['<a href = "/x?{{.A}}">', '<a href = "/x?a%3Cb%3E%22c%22">'],
    ['<a href="/x#{{.A}}" title="?{{.A}}">', '<a href="/x#a%3Cb%3E%22c%22" title="?a&lt;b&gt;&quot;c&quot;">'],
    [
      '<a href="/&#120;{{.A}}"><a href="{{.A}}?{{.A}}">',
      '<a href="/&#120;a&lt;b&gt;&quot;c&quot;"><a href="a&lt;b&gt;&quot;c&quot;?a%3Cb%3E%22c%22">',
    ],
    [
      '<script>var a = {{.A}}, n = {{.N}};</script>{{.N}}',
      '<script>var a = "a\\u003cb\\u003e\\u0022c\\u0022", n = 400;</script>400',
    ],
    ['<script>f("x//{{.A}}") // "\n</script>', '<script>f("x//a\\u003cb\\u003e\\u0022c\\u0022") // "\n</script>'],
    ['<!-- "<a href=\' -->{{.A}}', '<!-- "<a href=\' -->a&lt;b&gt;&quot;c&quot;'],
    ['<style>a{}</style>{{.B}}.', '<style>a{}</style>.'],
    ['a {{- .N -}} b {{/* never {{.A */}}!', 'a400b !'],
    ['{{.A | ToUpper}} {{ToLower "X"}} {{ `"` }}', 'A&lt;B&gt;&quot;C&quot; x &quot;'],
  ];
  for (const [source, page] of cases) assert.equal(render(source), page, source);
});

test('renderTemplate() decides as Go’s templates do', () => {
  const cases: [source: string, page: string][] = [
    ['{{if .A}}1{{else}}2{{end}}', '1'],
    ['{{ if .B }}1{{ else }}2{{ end }}', '2'],
    ['{{if eq .N 400 401}}1{{end}}{{if eq .N 401}}2{{end}}', '1'],
    ['{{if eq .B "-"}}1{{else if eq .B ""}}2{{else}}3{{end}}', '2'],
    ['{{if ne .N 400}}1{{else if not .B}}2{{end}}', '2'],
    ['{{if and .A .B}}1{{end}}{{if or .B .T}}2{{end}}{{if (and .A (not .B))}}3{{end}}', '23'],
    ['{{if .A}}{{if .B}}1{{else}}2{{end}}{{end}}', '2'],
    ['{{if true}}1{{end}}{{if false}}2{{end}}{{if 0}}3{{end}}', '1'],
    ['x{{define "other"}}no{{end}}{{define "x.html"}}{{if .A}}yes{{end}}{{end}}', 'yes'],
  ];
  for (const [source, page] of cases) assert.equal(render(source), page, source);
});

test('parseTemplate() refuses by line what it does not know, and places where no escaping helps', () => {
  const cases: [source: string, message: RegExp][] = [
    ['\n{{range .A}}{{end}}', /line 2: "\{\{range.*not understood/],
    ['{{template "x"}}', /not understood/],
    ['{{$x := .A}}', /not understood/],
    ['{{.A.B}}', /not understood/],
    ['{{printf "%s" .A}}', /not understood/],
    ['{{.Nope}}', /no field ".Nope"/],
    ['{{if .A}}', /"if" has no "end"/],
    ['{{end}}', /"end" ends nothing/],
    ['{{else}}', /without an "if"/],
    ['{{define "y.html"}}{{end}}', /no template "x.html"/],
    ['<p class={{.A}}>', /a tag, outside of quotes/],
    ['<p {{.A}}="x">', /a tag, outside of quotes/],
    ['<a onclick="f(\'{{.A}}\')">', /attribute "onclick"/],
    ['<a style="color:{{.A}}">', /attribute "style"/],
    ['<style>{{.A}}</style>', /a style/],
    ['<!-- {{.A}} -->', /a comment/],
    ['{{}}', /not understood/],
    ['{{.A | nope}}', /not understood/],
    ['{{(.A}}', /not understood/],
  ];
  for (const [source, message] of cases)
    assert.throws(
      () => parseTemplate(source, 'x.html', FIELDS),
      (error) => error instanceof TemplateProblem && message.test(error.message),
      source,
    );
});

test('parseTemplate() answers or throws a TemplateProblem, whatever it reads', () => {
  const piece = fc.constantFrom(
    '{{',
    '}}',
    '.A',
    'if ',
    'else',
    'end',
    'eq',
    '(',
    ')',
    '|',
    '"',
    '`',
    '-',
    ' ',
    '<a ',
    '<script>',
    '</script>',
    "'",
    '=',
    '>',
    'define "x.html"',
    '/*',
    '*/',
    '\n',
    '1',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 25 }), (all) => {
      try {
        render(all.join(''));
      } catch (error) {
        assert.ok(error instanceof TemplateProblem, String(error));
      }
    }),
    { numRuns: RUNS },
  );
});

test('renderTemplate() lets no value end a script, a tag or an attribute', () => {
  const source = '<p title="{{.A}}">{{.A}}</p><script>f({{.A}}, "{{.A}}", \'x{{.A}}\', `{{.A}}`)</script>';
  const nodes = parseTemplate(source, 'x.html', FIELDS);
  const safe = renderTemplate(nodes, { A: '' });
  const marks = (page: string): string => page.replaceAll(/&[#a-z0-9]+;|\\u[0-9a-f]{4}|[^<>"'`]/g, '');
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.string()), (text) => {
      assert.equal(marks(renderTemplate(nodes, { A: text })), marks(safe));
    }),
    { numRuns: RUNS },
  );
});

test('loadTemplates() takes the files that are there, and says where one cannot be used', () => {
  const files: Record<string, string> = { '/t/sign_in.html': '{{define "sign_in.html"}}{{.ProviderName}}{{end}}' };
  const readFile = (path: string): string | null => files[path] ?? null;
  const loaded = loadTemplates('/t/', readFile);
  assert.ok(loaded.kind === 'ok' && loaded.templates.signIn !== null && loaded.templates.error === null);
  assert.deepEqual(loadTemplates(null, readFile), {
    kind: 'ok',
    templates: { signIn: null, error: null, robots: null },
  });
  files['/t/error.html'] = 'x\n{{.ProviderName}}';
  const problem = loadTemplates('/t', readFile);
  assert.ok(problem.kind === 'problem');
  assert.equal(problem.message, 'Cannot use template "/t/error.html": line 2: there is no field ".ProviderName"');
  assert.match(problem.remedy, /use one of \.StatusCode, .*\.Message/);
});
