// "Run both": two real programs, their lines in the page, the verdict, and nothing left behind.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { BUILD_LIMIT, Lab, ROOT, keep, startBrowser, until, watch } from './lab.js';

/** From the first live sample to the verdict. */
const RUN_LIMIT = 60_000;
/** What a page started must be gone by then. */
const GONE_LIMIT = 10_000;

let lab, browser, scenario, recording;

before(async () => {
  [lab, browser] = await Promise.all([Lab.start(), startBrowser()]);
  // One that leaves tasks behind, for where these come from is told.
  const recorded = name => JSON.parse(readFileSync(path.join(ROOT, `book/recordings/${name}.json`), 'utf8'));
  scenario = Object.keys(await lab.scenarios()).find(name => recorded(name).gauge === 'tasks');
  recording = recorded(scenario);
});

after(async () => {
  await browser?.close();
  await lab?.stop();
});

async function openChapter() {
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  await page.goto(`${lab.url}${scenario}.html`);
  return page;
}

const button = (page, name) => page.locator('.wb-chart').first().getByRole('button', { name });
const caption = page => page.locator('.wb-chart .wb-source').first();

/** Presses "Run both" and waits for the first live sample. */
async function startRun(page) {
  await button(page, 'Run both').click();
  await caption(page).getByText('A live run').waitFor({ timeout: BUILD_LIMIT });
}

const drawing = page => page.locator('.wb-drawing:visible').first();
const words = page => drawing(page).locator('> svg').getAttribute('aria-label');

/** The last value of each side, as its line is labelled. */
async function told(page) {
  const labels = await drawing(page).locator('> svg > text[class^="wb-"]:not(.wb-phase)').allTextContents();
  return Object.fromEntries(labels.map(label => label.split(' ')).map(([side, last]) => [side, Number(last.replaceAll(',', ''))]));
}

test('the leak climbs, the fix comes back, and the verdict says so', async () => {
  const page = await openChapter();
  const problems = watch(page);
  await startRun(page);
  const { leak: run } = recording.sides;
  await until('the lines part while the load is on', RUN_LIMIT, async () => {
    const { leak, fix } = await told(page);
    return leak > (fix ?? Infinity) + run.report.units_done * 0.2;
  });
  await keep(page, 'live-run');
  assert.equal(await button(page, 'Run again').isVisible(), false);
  await page.locator('.wb-verdict').first().getByText('✓').waitFor({ timeout: RUN_LIMIT });
  await button(page, 'Run again').waitFor();
  const { leak, fix } = await told(page);
  const stated = run.report.stated[recording.gauge] * run.report.units_done;
  assert.ok(leak >= stated * 0.95, `${leak} left, stated ${stated}`);
  assert.ok(fix <= run.report.units_done * 0.01, `the fix left ${fix}`);
  // The end of a run is told from the value before the load, as the recorded one is.
  const number = n => n.toLocaleString('en-US');
  assert.ok((await words(page)).includes(`leak climbs from ${number(run.report.before[recording.gauge])} to `), await words(page));
  await keep(page, 'live-verdict');
  await sayEachThingOnce(page);

  // Every gauge of the live run can be looked at.
  const labels = page.locator('.wb-chart').first().locator('.wb-gauge label');
  assert.ok(await labels.count() >= 6);
  const seen = new Set();
  for (const label of await labels.all()) {
    await label.click();
    assert.deepEqual(Object.keys(await told(page)).sort(), ['fix', 'leak'], await label.textContent());
    seen.add(await words(page));
  }
  assert.equal(seen.size, await labels.count());
  await labels.first().click();
  await button(page, 'Show the recorded run').click();
  await caption(page).getByText('Recorded on').waitFor();
  assert.deepEqual(problems, []);
  await page.close();
});

/** Leak before fix, each once, with who counted; where tasks are left, also where they were spawned and what they wait for. */
async function sayEachThingOnce(page) {
  const sides = page.locator('.wb-verdict li');
  assert.deepEqual(await sides.locator('strong').allTextContents(), ['leak', 'fix']);
  const text = await page.locator('.wb-verdict').innerText();
  for (const side of ['leak', 'fix']) assert.equal(text.split(new RegExp(`\\b${side} (?:leaks|returns|loses|not|cannot)`)).length, 2, text);
  for (const side of await sides.all()) {
    const said = await side.innerText();
    const [, left] = said.match(/Witnesses: program ([\d,]+) tasks, console \1 tasks, 0 events lost/) ?? assert.fail(said);
    if (left !== '0') assert.match(said, new RegExp(`[\\d,]+ of the ${left} tasks left were spawned at \\S+\\.rs:\\d+:\\d+; .*wait on: \\S+`));
  }
}

test('a reader who wants no motion sees the start and the end of a run, and nothing between', async () => {
  const page = await browser.newPage({ reducedMotion: 'reduce' });
  await page.goto(`${lab.url}${scenario}.html`);
  await startRun(page);
  const changes = page.evaluate(() => new Promise(done => {
    let changes = 0;
    const chart = document.querySelector('.wb-chart');
    const seen = new MutationObserver(() => { if (!chart.querySelector('.wb-verdict:not([hidden])')) changes++; });
    seen.observe(chart.querySelector('.wb-gauge'), { childList: true, subtree: true });
    new MutationObserver(() => chart.querySelector('.wb-run:not([hidden])') && done(changes)).observe(chart.querySelector('.wb-bar'), { attributes: true, subtree: true });
  }));
  assert.equal(await changes, 0);
  const { leak, fix } = await told(page);
  assert.ok(leak > fix, `${leak} and ${fix}`);
  await page.close();
});

/** The server's own words, spoken by a server that is none: what a learner's program may do. */
test('what a run says is shown: a stall, error output, a failure', async () => {
  const page = await browser.newPage();
  const side = (name, more) => ({ text: 'does this', program_tasks: 12, console_tasks: 12, dropped_events: 0, spawned_at: 'a.rs:1:2', spawned_there: 12, waits_on: 'Semaphore', waiting_there: 9, said: [], ...more });
  let events;
  await page.route('**/api/run/*', route => route.fulfill({ contentType: 'application/x-ndjson', body: events.map(event => `${JSON.stringify(event)}\n`).join('') }));
  await page.goto(`${lab.url}${scenario}.html`);
  const status = page.locator('.wb-status').first();

  events = [{ event: 'error', message: 'it does not compile' }];
  await button(page, 'Run both').click();
  await status.getByText('The run failed: it does not compile').waitFor();
  await button(page, 'Run both').waitFor();

  const drawn = { event: 'drawing', gauge: 'tasks', label: 'tasks', svg: '<svg role="img" aria-label="Drawn."></svg>' };
  events = [drawn, { event: 'stalled', side: 'fix', seconds: 9 }];
  await button(page, 'Run both').click();
  await status.getByText('The run ended without a verdict.').waitFor();
  const told = await page.evaluate(() => new Promise(done => {
    const seen = [];
    new MutationObserver(() => { seen.push(document.querySelector('.wb-status').textContent); if (seen.at(-1).startsWith('The run')) done(seen); })
      .observe(document.querySelector('.wb-status'), { childList: true, characterData: true, subtree: true });
    document.querySelector('.wb-run').click();
  }));
  assert.ok(told.includes('fix: no unit of work has finished for 9 s. Stop ends the run.'), told);

  events = [drawn, { event: 'verdict', ok: false, text: '', sides: { fix: side('fix', { said: ['<b>first</b>', 'second'] }), leak: side('leak') } }];
  await button(page, 'Run again').click();
  const verdict = page.locator('.wb-verdict').first();
  await verdict.getByText('✗').waitFor();
  assert.deepEqual(await verdict.locator('strong').allTextContents(), ['leak', 'fix']);
  assert.match(await verdict.locator('li').first().innerText(), /12 of the 12 tasks left were spawned at a\.rs:1:2; 9 of these wait on: Semaphore\./);
  assert.equal(await verdict.locator('pre').innerText(), '<b>first</b>\nsecond');
  await page.close();
});

for (const [how, leave] of [
  ['the page is closed', page => page.close()],
  ['the page goes elsewhere', page => page.goto(lab.url)],
  ['the reader presses Stop', page => button(page, 'Stop').click()],
]) {
  test(`the programs end when ${how}`, async () => {
    const page = await openChapter();
    await startRun(page);
    assert.equal(lab.programs(scenario).length, 2, 'both programs run');
    await leave(page);
    await until('the programs are gone', GONE_LIMIT, () => lab.programs(scenario).length === 0);
    if (!page.isClosed()) await page.close();
  });
}

test('a third run at once is refused in words, and can be tried again', async () => {
  const pages = await Promise.all([openChapter(), openChapter(), openChapter()]);
  await Promise.all(pages.slice(0, 2).map(startRun));
  const third = pages[2];
  await button(third, 'Run both').click();
  const status = third.locator('.wb-status').first();
  await status.getByText(/^Not started: .*Stop/).waitFor();
  await keep(third, 'live-third');
  await Promise.all(pages.slice(0, 2).map(page => page.close()));
  await until('the programs are gone', GONE_LIMIT, () => lab.programs(scenario).length === 0);
  // No run, so nothing to repeat.
  await button(third, 'Run both').click();
  await caption(third).getByText('A live run').waitFor({ timeout: BUILD_LIMIT });
  await third.close();
  await until('the programs are gone', GONE_LIMIT, () => lab.programs(scenario).length === 0);
});

test('the programs end when the lab does', async () => {
  const own = await Lab.start();
  const page = await browser.newPage();
  await page.goto(`${own.url}${scenario}.html`);
  await startRun(page);
  const programs = own.programs(scenario);
  await own.stop();
  await until('the programs are gone', GONE_LIMIT, () => !programs.some(pid => existsSync(`/proc/${pid}`)));
  // The server may cut the stream or end it; the page has a word for each. Once neither came in 30 s, and nobody knows what the page said.
  const status = page.locator('.wb-status').first();
  const over = status.getByText(/^The run (failed:|ended without a verdict)/).waitFor();
  await over.catch(async () => assert.fail(`the page says: ${await status.textContent()}`));
  await page.close();
});
