// "Check mine": the reader's copy beside a solution, its verdict in the page, and what was done of each exercise. Tried on a copy of the
// workbook, for a test changes no tracked file and notes nothing in a reader's progress.
import assert from 'node:assert/strict';
import { copyFileSync, existsSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { BUILD_LIMIT, Lab, TARGET, copyOfWorkbook, keep, startBrowser, until, watch } from './lab.js';

/** From the first live sample to the verdict, on a busy machine with its three tries. */
const CHECK_LIMIT = 120_000;
/** What a page started must be gone by then. */
const GONE_LIMIT = 10_000;
const NAME = 'upload-scan';

let lab, browser, root;

before(async () => {
  root = copyOfWorkbook('practice');
  rmSync(path.join(root, 'progress.toml'), { force: true });
  // Its programs are built beside the workbook's, which has compiled everything they depend on.
  [lab, browser] = await Promise.all([Lab.start(root, { CARGO_TARGET_DIR: TARGET }), startBrowser()]);
});

after(async () => {
  await browser?.close();
  await lab?.stop();
  rmSync(root, { recursive: true, force: true });
});

const file = name => path.join(root, 'exercises', NAME, name);
const button = (page, name) => page.locator('.wb-chart').first().getByRole('button', { name });
const verdict = page => page.locator('.wb-verdict').first();
const done = page => page.locator('.wb-reader').first();

async function open(name = NAME, options = {}) {
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 }, ...options });
  const problems = watch(page);
  page.loads = 0;
  page.on('request', request => { page.loads += Number(request.isNavigationRequest()); });
  await page.goto(`${lab.url}${name}.html`);
  return { page, problems };
}

/** Presses the button and waits for the first live drawing. */
async function check(page, name = 'Check mine') {
  await button(page, name).click();
  await page.locator('.wb-chart .wb-source').first().getByText('A live run').waitFor({ timeout: BUILD_LIMIT });
}

test('the copy as it is given fails with its sentence, the mended one passes, and every page says so', async () => {
  const { page, problems } = await open();
  await done(page).filter({ hasText: 'not begun' }).waitFor();
  await check(page);
  await keep(page, 'check-runs');
  await verdict(page).getByText('✗ Not yet.').waitFor({ timeout: CHECK_LIMIT });
  const said = await verdict(page).innerText();
  assert.match(said, /more than before after 40 uploads, 80 more after 160; should be: none\. Spawned: 80 at exercises\/upload-scan\/mine\.rs:\d+/);
  assert.match(await page.locator('.wb-drawing:visible svg').first().getAttribute('aria-label'), /mine climbs from .* solution rises from/);
  await done(page).filter({ hasText: 'not begun' }).waitFor();
  assert.ok(!existsSync(path.join(root, 'progress.toml')));
  await keep(page, 'check-failed');

  copyFileSync(file('solution.rs'), file('mine.rs'));
  await check(page, 'Check again');
  await verdict(page).getByText('✓ Passed').waitFor({ timeout: CHECK_LIMIT });
  await done(page).getByText(/passed on \d{4}-\d\d-\d\d/).waitFor();
  assert.match(readFileSync(path.join(root, 'progress.toml'), 'utf8'), /^\[upload-scan\]$/m);
  assert.equal(page.loads, 1, 'a save of the copy builds no book');
  await keep(page, 'check-passed');
  await button(page, 'Show the recorded run').click();
  await page.locator('.wb-chart .wb-source').first().getByText('Recorded on').waitFor();
  assert.deepEqual(problems, []);
  await page.close();

  const { page: list } = await open('practice');
  await list.locator('tr', { hasText: 'Upload scan' }).getByText(/passed on/).waitFor();
  await list.close();
});

test('what does not compile is told with the compiler\'s words, and a page that closes ends what it started', async () => {
  copyFileSync(file('questions.toml'), file('mine.rs'));
  const { page } = await open();
  await button(page, 'Check mine').click();
  await verdict(page).getByText('did not compile').waitFor({ timeout: BUILD_LIMIT });
  assert.ok(await verdict(page).locator('pre').innerText());
  copyFileSync(file('start.rs'), file('mine.rs'));
  await check(page);
  assert.notEqual(lab.programs(NAME).length, 0);
  await page.close();
  await until('the programs are gone', GONE_LIMIT, () => lab.programs(NAME).length === 0);
});

/** The server's own words, spoken by a server that is none. */
test('what a check says is shown, and a machine that was too busy is no failure of the copy', async () => {
  const { page } = await open(NAME, { viewport: { width: 390, height: 844 } });
  let events;
  await page.route('**/api/check/*', route => route.fulfill({ contentType: 'application/x-ndjson', body: events.map(event => `${JSON.stringify(event)}\n`).join('') }));
  const status = page.locator('.wb-status').first();
  events = [{ event: 'again', attempt: 2 }, { event: 'verdict', outcome: 'too-busy', faults: [{ key: 'latency', sentence: 'it was slow' }], said: [] }];
  await button(page, 'Check mine').click();
  await verdict(page).getByText('too busy to tell').waitFor();
  assert.ok(!(await verdict(page).innerText()).includes('it was slow'));
  events = [{ event: 'error', message: 'another cargo holds the lock' }];
  await button(page, 'Check').click();
  await status.getByText('another cargo holds the lock').waitFor();
  events = [{ event: 'verdict', outcome: 'failed', faults: [{ key: 'load', sentence: '<b>no</b> upload ended' }, { key: 'tasks', sentence: `${'x'.repeat(200)}` }], said: ['a', 'b'] }];
  await button(page, 'Check').click();
  await verdict(page).getByText('<b>no</b> upload ended.').waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390);
  await page.close();
});

test('a server for reading shows the recorded run and why there is no button', async () => {
  const reading = await Lab.start(root, {}, ['--read-only']);
  for (const name of [NAME, Object.keys(await lab.scenarios())[0], 'practice']) {
    const page = await browser.newPage();
    const [problems, asked] = [watch(page), []];
    page.on('request', request => asked.push(new URL(request.url()).pathname));
    await Promise.all([page.waitForResponse(/\/api\/build$/), page.goto(`${reading.url}${name}.html`)]);
    if (name !== 'practice') await page.locator('.wb-chart').first().getByText('this server is for reading, and starts nothing').waitFor();
    assert.equal(await page.locator('main button:not(.clip-button):visible, .wb-reader:visible').count(), 0, name);
    assert.deepEqual(asked.filter(path => path.startsWith('/api/') && path !== '/api/build'), []);
    assert.deepEqual(problems, []);
    if (name === NAME) await keep(page, 'read-only');
    await page.close();
  }
  await reading.stop();
});
