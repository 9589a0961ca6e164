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
  [scenario] = Object.keys(await lab.scenarios());
  recording = JSON.parse(readFileSync(path.join(ROOT, `book/recordings/${scenario}.json`), 'utf8'));
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

/** The last and the highest value of each side, as the page tells them to those who do not see the chart. */
async function told(page) {
  const words = await page.locator('.wb-plot').first().getAttribute('aria-label');
  const number = text => Number(text.replaceAll(',', ''));
  return Object.fromEntries([...words.matchAll(/(\w[\w-]*) from [\d,.]+ to ([\d,]+)(?:, at most ([\d,]+))?/g)]
    .map(([, side, last, peak]) => [side, { last: number(last), peak: number(peak ?? last) }]));
}

test('the leak climbs, the fix comes back, and the verdict says so', async () => {
  const page = await openChapter();
  const problems = watch(page);
  await startRun(page);
  const { leak: run } = recording.sides;
  await until('the lines part while the load is on', RUN_LIMIT, async () => {
    const { leak, fix } = await told(page);
    return leak && fix && leak.last > fix.last + run.report.units_done * 0.2;
  });
  await keep(page, 'live-run');
  await page.locator('.wb-verdict').first().getByText('✓').waitFor({ timeout: RUN_LIMIT });
  const { leak, fix } = await told(page);
  const stated = run.report.stated[recording.gauge] * run.report.units_done;
  assert.ok(leak.last >= stated * 0.95, `${leak.last} left, stated ${stated}`);
  assert.ok(fix.last <= run.report.units_done * 0.01, `the fix left ${fix.last}`);
  const verdict = await page.locator('.wb-verdict').first().innerText();
  assert.match(verdict, /leak: /);
  assert.match(verdict, /fix: /);
  await keep(page, 'live-verdict');

  // Every gauge of the live run can be looked at.
  const select = page.locator('.wb-chart').first().getByLabel('Gauge');
  const gauges = await select.locator('option').evaluateAll(all => all.map(option => option.value));
  assert.ok(gauges.length >= 5, `only ${gauges}`);
  const seen = new Set();
  for (const gauge of gauges) {
    await select.selectOption(gauge);
    assert.deepEqual(Object.keys(await told(page)).sort(), ['fix', 'leak'], gauge);
    seen.add(await page.locator('.wb-plot').first().getAttribute('aria-label'));
  }
  assert.equal(seen.size, gauges.length);
  await button(page, 'Show the recorded run').click();
  await caption(page).getByText('Recorded on').waitFor();
  assert.deepEqual(problems, []);
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
  await status.getByText(/2 runs are under way: wait for one to end/).waitFor();
  await keep(third, 'live-third');
  await Promise.all(pages.slice(0, 2).map(page => page.close()));
  await until('the programs are gone', GONE_LIMIT, () => lab.programs(scenario).length === 0);
  await button(third, 'Run again').click();
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
  await page.locator('.wb-status').first().getByText('The run failed').waitFor();
  await page.close();
});
