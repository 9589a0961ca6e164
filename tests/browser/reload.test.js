// While somebody writes: a change shows in the open page. Tried on a copy of the book, for tests change no tracked file.
import assert from 'node:assert/strict';
import { appendFileSync, cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Lab, ROOT, TARGET, startBrowser, until } from './lab.js';

const REBUILD_LIMIT = 20_000;
const COPIED = ['.cargo', 'Cargo.toml', 'Cargo.lock', 'book.toml', 'book', 'crates', 'scenarios'];

let lab, browser, root;

before(async () => {
  mkdirSync(path.join(TARGET, 'tmp'), { recursive: true });
  root = mkdtempSync(path.join(TARGET, 'tmp/reload-'));
  for (const entry of COPIED) cpSync(path.join(ROOT, entry), path.join(root, entry), { recursive: true });
  [lab, browser] = await Promise.all([Lab.start(root), startBrowser()]);
});

after(async () => {
  await browser?.close();
  await lab?.stop();
  rmSync(root, { recursive: true, force: true });
});

test('a change shows in the open page, at the same place; a mistake leaves the last good page', async () => {
  const [scenario] = Object.keys(await lab.scenarios());
  const chapter = path.join(root, `book/src/${scenario}.md`);
  const page = await browser.newPage();
  const listening = page.waitForRequest(/\/api\/reload$/);
  await page.goto(`${lab.url}${scenario}.html`);
  await listening;
  await page.evaluate(() => scrollTo(0, 700));
  appendFileSync(chapter, '\nA sentence that was not there.\n');
  await page.getByText('A sentence that was not there.').waitFor({ state: 'attached', timeout: REBUILD_LIMIT });
  await until('the page is where it was', 5_000, () => page.evaluate(() => Math.abs(scrollY - 700) < 5));

  // A page that is opened now shows the change already, and is not loaded twice.
  const other = await browser.newPage();
  const loads = [];
  other.on('request', request => request.isNavigationRequest() && loads.push(request.url()));
  await Promise.all([other.waitForRequest(/\/api\/reload$/), other.goto(`${lab.url}${scenario}.html`)]);

  // A scenario under work is newer than its recording: said on the terminal, and served all the same.
  assert.doesNotMatch(lab.complaints, /older/);
  appendFileSync(path.join(root, `scenarios/${scenario}/leak.rs`), '// A comment.\n');
  await until('the terminal hears of it', REBUILD_LIMIT, () =>
    lab.complaints.includes(`warning: the recording of ${scenario} is older than its sources: run \`cargo lab record ${scenario}\``));

  appendFileSync(chapter, '\n{{#chart no-such-scenario}}\n');
  await until('the terminal hears of it', REBUILD_LIMIT, () => lab.complaints.includes('no scenario `no-such-scenario`'));
  await until('the other page is loaded again, once', REBUILD_LIMIT, () => loads.length > 1);
  assert.equal(loads.length, 2);
  await page.reload();
  await page.getByText('A sentence that was not there.').waitFor({ state: 'attached' });
});
