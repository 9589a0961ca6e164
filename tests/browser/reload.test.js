// While somebody writes: a change shows in every open page, and no result is lost. Tried on a copy of the book, for tests change no
// tracked file.
import assert from 'node:assert/strict';
import { appendFileSync, cpSync, rmSync } from 'node:fs';
import path from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { BUILD_LIMIT, Lab, ROOT, TARGET, copyOfWorkbook, startBrowser, until } from './lab.js';

const REBUILD_LIMIT = 60_000;
const RUN_LIMIT = 60_000;
/** Twice what a browser opens to one host. */
const TABS = 12;

let lab, browser, context, root, scenario, chapter;

before(async () => {
  root = copyOfWorkbook('reload');
  // Its programs are built beside the workbook's, which has compiled everything they depend on.
  [lab, browser] = await Promise.all([Lab.start(root, { CARGO_TARGET_DIR: TARGET }), startBrowser()]);
  [scenario] = Object.keys(await lab.scenarios());
  chapter = path.join(root, `book/src/${scenario}.md`);
});

// The tabs of one context share its connections.
beforeEach(async () => { context = await browser.newContext(); });

// A page that is about to load again does not always close: first nobody hears of a build any more, and all have loaded.
afterEach(async () => {
  await context.route(/\/api\/build$/, route => route.abort());
  await Promise.all(context.pages().map(page => page.waitForLoadState()));
  await context.close();
});

after(async () => {
  await browser?.close();
  await lab?.stop();
  rmSync(root, { recursive: true, force: true });
});

let saves = 0;
/** Saves the chapter with one more sentence, and returns the sentence. */
function save() {
  const sentence = `Sentence ${++saves} was not there.`;
  appendFileSync(chapter, `\n${sentence}\n`);
  return sentence;
}

/** Opens a page that knows which build it shows, and counts how often it is loaded. */
async function open(name = `${scenario}.html`) {
  const page = await context.newPage();
  page.loads = 0;
  page.on('request', request => { page.loads += Number(request.isNavigationRequest()); });
  await Promise.all([page.waitForResponse(/\/api\/build$/), page.goto(lab.url + name)]);
  return page;
}

const shows = (page, sentence) => page.getByText(sentence).waitFor({ state: 'attached', timeout: REBUILD_LIMIT });
const note = page => page.getByText('The book was rebuilt.');
const run = page => page.locator('.wb-run').first().click();
const running = page => page.getByText('A live run').first().waitFor({ timeout: BUILD_LIMIT });
const verdict = page => page.locator('.wb-verdict').first();

test('a change shows in the open page, at the same place, with what was open and chosen', async () => {
  const page = await open();
  await page.locator('.wb-diff summary').first().click();
  await page.locator('.wb-gauge label').nth(2).click();
  await page.locator('.wb-views label').nth(1).click();
  await page.evaluate(() => scrollTo(0, 700));
  await shows(page, save());
  await until('the page is where it was', 5_000, () => page.evaluate(() => Math.abs(scrollY - 700) < 5));
  const state = await page.evaluate(() => [
    [...document.querySelectorAll('main details')].filter(details => details.open).map(details => details.parentElement.className).join(),
    ...['.wb-gauge', '.wb-views'].map(group => [...document.querySelector(group).querySelectorAll('input')].findIndex(radio => radio.checked)),
  ]);
  assert.deepEqual(state, ['wb-diff', 2, 1]);
  assert.equal(page.loads, 2);

  // A page that is opened now shows the change already, and is not loaded twice. It asks again, and hears of nothing new.
  const other = await open();
  await other.waitForResponse(/\/api\/build$/);
  assert.equal(other.loads, 1);

  // A scenario under work is newer than its recording: said on the terminal, and served all the same.
  assert.ok(!lab.complaints.includes(scenario), lab.complaints);
  appendFileSync(path.join(root, `scenarios/${scenario}/leak.rs`), '// A comment.\n');
  await until('the terminal hears of it', REBUILD_LIMIT, () => lab.complaints.includes(`run \`cargo lab record ${scenario}\``));
  await until('the other page is loaded again', REBUILD_LIMIT, () => other.loads === 2);

  // A mistake leaves the last good page.
  appendFileSync(chapter, '\n{{#chart no-such-scenario}}\n');
  await until('the terminal hears of it', REBUILD_LIMIT, () => lab.complaints.includes('no scenario `no-such-scenario`'));
  await page.reload();
  await shows(page, `Sentence ${saves} was not there.`);
  const loads = other.loads;
  cpSync(path.join(ROOT, `book/src/${scenario}.md`), chapter);
  await until('the mended chapter is shown', REBUILD_LIMIT, () => other.loads > loads);
});

test('twelve tabs load, two of them run at once, all others show a change', async () => {
  const tabs = [];
  for (let i = 0; i < TABS; i++) tabs.push(await open());
  await Promise.all(tabs.slice(0, 2).map(run));
  await Promise.all(tabs.slice(0, 2).map(running));
  const sentence = save();
  await Promise.all(tabs.slice(2).map(page => shows(page, sentence)));
  for (const tab of tabs.slice(0, 2)) {
    await note(tab).waitFor({ timeout: REBUILD_LIMIT });
    await tab.getByRole('button', { name: 'Reload to see it' }).click();
    await shows(tab, sentence);
  }
  assert.deepEqual(tabs.map(tab => tab.loads), tabs.map(() => 2));
});

test('a save before, during or after a run takes nobody the result', async () => {
  // What is saved is a side of the run, as a learner does. Each page runs, and a save comes: when the button is pressed and 0.7 s before
  // that; 1.5 s before it and in mid run.
  for (const [first, second] of [[0, 700], [1500, 'mid run']]) {
    const pages = [await open(), await open()];
    appendFileSync(path.join(root, `scenarios/${scenario}/fix.rs`), '// Saved.\n');
    await delay(first);
    await run(pages[0]);
    if (second === 'mid run') {
      await run(pages[1]);
      await running(pages[1]);
      save();
    } else {
      await delay(second - first);
      await run(pages[1]);
    }
    for (const page of pages) {
      await verdict(page).waitFor({ timeout: BUILD_LIMIT + RUN_LIMIT });
      await note(page).waitFor({ timeout: REBUILD_LIMIT });
    }
    // And after it. The pages have asked once more when a page without a result has been loaded again.
    const idle = await open('card.html');
    save();
    await until('a page without a result is loaded again', REBUILD_LIMIT, () => idle.loads === 2);
    for (const page of pages) {
      await page.waitForResponse(/\/api\/build$/);
      assert.ok(await verdict(page).isVisible());
      assert.equal(page.loads, 1);
    }
    const sentence = save();
    await pages[0].getByRole('button', { name: 'Reload to see it' }).click();
    await shows(pages[0], sentence);
  }
});

test('a page that is not looked at does not ask, and shows a change when it is looked at again', async () => {
  const page = await open();
  const look = hidden => page.evaluate(hidden => {
    Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
  }, hidden);
  await look(true);
  // A question that was asked before may still be answered.
  await page.waitForResponse(/\/api\/build$/).catch(() => {});
  const [asked, other] = [[], await open('card.html')];
  page.on('request', request => asked.push(request.url()));
  const sentence = save();
  await until('a page that is looked at is loaded again', REBUILD_LIMIT, () => other.loads === 2);
  assert.deepEqual(asked, []);
  await look(false);
  await shows(page, sentence);
});
