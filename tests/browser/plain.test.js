// The built book on a host that knows nothing of the lab, below a folder of its own.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { LAB, ROOT, eachOf, pagesOf, startBrowser, watch } from './lab.js';

const FOLDER = '/some/where/';
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.json': 'application/json' };

let server, browser, url;
const asked = [];

before(async () => {
  const out = execFileSync(LAB, ['book'], { cwd: ROOT, encoding: 'utf8' });
  const site = path.resolve(ROOT, out.match(/the book is in (.*)/)[1]);
  server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, 'http://host');
    asked.push(pathname);
    const inside = pathname.startsWith(FOLDER) ? path.join(site, decodeURI(pathname.slice(FOLDER.length)) || 'index.html') : '';
    const body = inside.startsWith(site) && await readFile(inside).catch(() => null);
    response.writeHead(body ? 200 : 404, { 'content-type': TYPES[path.extname(inside)] ?? 'application/octet-stream' });
    response.end(body || 'not found');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${server.address().port}${FOLDER}`;
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
  server?.close();
});

test('a plain host serves every page whole, and no page looks for a lab', async () => {
  const pages = await pagesOf(browser, url);
  assert.ok(pages.length > 3 && pages.every(page => page.startsWith(url)), pages.join(' '));
  await eachOf(pages, async address => {
    const page = await browser.newPage();
    const problems = watch(page);
    await page.goto(address);
    // Where the reader answers first, the drawing is behind a fold.
    await page.evaluate(() => document.querySelectorAll('details').forEach(fold => { fold.open = true; }));
    for (const chart of await page.locator('.wb-chart').all()) await chart.locator('polyline.wb-leak').first().waitFor();
    assert.equal(await page.locator('.wb-run, .wb-bar:visible, .wb-reader:visible').count(), 0, address);
    assert.deepEqual(problems, [], address);
    await page.close();
  });
  assert.deepEqual(asked.filter(name => name.includes('/api/') || !name.startsWith(FOLDER)), []);
});
