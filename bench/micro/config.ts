/** How long documents of 1 and 10 000 hosts take to load, cold and warm. Run: node bench/micro/config.ts */
const beforeImport = performance.now();
const { loadDocument } = await import('../../src/config/load.ts');
console.log(`import: ${(performance.now() - beforeImport).toFixed(1)} ms`);

function documentOf(hosts: number): string {
  let text = 'version: 1\nsign_in: { url: https://auth.example.com }\nhosts:\n';
  for (let i = 0; i < hosts; i++) {
    text += `  app${i}.example.com:\n    to: http://127.0.0.1:${1024 + i}\n    allow: ["local:user:u${i}", signed-in]\n`;
  }
  return text;
}

for (const hosts of [1, 10_000]) {
  const text = documentOf(hosts);
  for (const run of ['cold', 'second', 'third']) {
    const before = performance.now();
    const { document } = loadDocument({ text, file: '/etc/postern.yaml', env: {}, readFile: () => '' });
    if (document === null) throw new Error('the document of the bench is wrong');
    console.log(`${hosts} hosts, ${run}: ${(performance.now() - before).toFixed(1)} ms`);
  }
}
