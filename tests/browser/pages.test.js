// Every page of the book, as the sidebar names them: whole, light, readable, on a phone, without a script, in print, by keyboard.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { AxeBuilder } from '@axe-core/playwright';
import { Lab, keep, pagesOf, startBrowser, watch } from './lab.js';

const DESK = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 844 };
const WEIGHT_MAX = 400 * 1024;
const THEMES = ['light', 'rust', 'coal', 'navy', 'ayu'];

let lab, browser, pages, chapter;

before(async () => {
  [lab, browser] = await Promise.all([Lab.start(), startBrowser()]);
  pages = await pagesOf(browser, lab.url);
  const [scenario] = Object.keys(await lab.scenarios());
  chapter = `${lab.url}${scenario}.html`;
});

after(async () => {
  await browser?.close();
  await lab?.stop();
});

const name = url => new URL(url).pathname;

/** Opens a page as a reader who was never here; resolves when the page has found the lab. */
async function open(url, { viewport = DESK, theme, look = () => {}, ...options } = {}) {
  const context = await browser.newContext({ viewport, ...options });
  if (theme) await context.addInitScript(theme => localStorage.setItem('mdbook-theme', theme), theme);
  const page = await context.newPage();
  const looked = look(page);
  const ready = options.javaScriptEnabled === false || page.waitForRequest(/\/api\/reload$/);
  await Promise.all([page.goto(url), ready]);
  await page.evaluate(() => document.fonts.ready.then(() => true));
  return { page, looked, close: () => context.close() };
}

test('the sidebar names every page, a chapter for each scenario among them', async () => {
  const names = pages.map(name);
  for (const scenario of Object.keys(await lab.scenarios())) assert.ok(names.includes(`/${scenario}.html`), scenario);
});

test('a page loads little, from this host only, and without an error', async () => {
  for (const url of pages) {
    const { page, looked, close } = await open(url, { look: page => {
      const responses = [];
      page.on('response', response => response.request().resourceType() === 'eventsource' || responses.push(response));
      return { problems: watch(page), responses };
    } });
    const bodies = await Promise.all(looked.responses.map(response => response.body()));
    const weight = bodies.reduce((sum, body) => sum + gzipSync(body).length, 0);
    console.log(`${name(url)}: ${looked.responses.length} responses, ${(weight / 1024).toFixed(0)} KB compressed`);
    assert.ok(weight <= WEIGHT_MAX, `${name(url)}: ${weight} bytes`);
    assert.deepEqual([...looked.problems], [], name(url));
    await close();
  }
});

test('no page is wider than its window', async () => {
  for (const viewport of [DESK, PHONE]) {
    for (const url of pages) {
      const { page, close } = await open(url, { viewport });
      const [wide, room] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
      assert.ok(wide <= room, `${name(url)}: ${wide} in ${room}`);
      await close();
    }
  }
});

/** The serious findings of axe, with every answer unfolded. */
async function findings(page) {
  await page.evaluate(() => document.querySelectorAll('details').forEach(details => { details.open = true; }));
  const { violations } = await new AxeBuilder({ page }).options({ resultTypes: ['violations'] }).analyze();
  return violations.filter(({ impact }) => ['serious', 'critical'].includes(impact))
    .map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map(node => node.target.join(' ')).join(' | ')}`);
}

test('axe sees what is wrong', async () => {
  const { page, close } = await open(chapter);
  await page.evaluate(() => document.querySelector('main').insertAdjacentHTML('beforeend', '<img src="data:,"><p style="color:#eee;background:#fff">x</p>'));
  assert.deepEqual((await findings(page)).map(finding => finding.split(':')[0]).sort(), ['color-contrast', 'image-alt']);
  await close();
});

/** Every page is looked at once on each viewport, in a light and a dark theme; the first page and a chapter in all of them. */
for (const [label, viewport, themes, everywhere] of [['a desk', DESK, THEMES, 'light'], ['a phone', PHONE, ['light', 'navy'], 'navy']]) {
  for (const theme of themes) {
    test(`axe finds nothing serious in ${theme} on ${label}`, async () => {
      const bad = {};
      for (const url of theme === everywhere ? pages : [lab.url, chapter]) {
        const { page, close } = await open(url, { viewport, theme, reducedMotion: 'reduce' });
        assert.ok(await page.evaluate(theme => document.documentElement.classList.contains(theme), theme));
        const found = await findings(page);
        if (found.length) bad[name(url)] = found;
        await close();
      }
      assert.deepEqual(bad, {});
    });
  }
}

test('without a script the drawings, diffs, tables and answers are there', async () => {
  const { page, close } = await open(chapter, { javaScriptEnabled: false });
  await page.locator('.wb-chart svg polyline.wb-leak').first().waitFor();
  assert.equal(await page.locator('.wb-chart button:visible').count(), 0);
  const diff = page.locator('.wb-diff').first();
  await diff.locator('.wb-uni ins').first().waitFor();
  await diff.getByText('Side by side').click();
  await diff.locator('.wb-split').waitFor();
  for (const table of ['.wb-gauges', '.wb-sides', '.wb-survivors']) await page.locator(table).first().waitFor();
  const details = page.locator('details').first();
  await details.locator('summary').click();
  await details.locator('p').first().waitFor();
  await keep(page, 'no-script', { fullPage: true });
  await close();
});

test('in print there are drawings and diffs, and nothing to press', async () => {
  const { page, close } = await open(chapter);
  await page.locator('.wb-plot canvas').first().waitFor();
  await page.emulateMedia({ media: 'print' });
  await page.locator('.wb-chart svg polyline.wb-leak').first().waitFor();
  await page.locator('.wb-uni del').first().waitFor();
  assert.equal(await page.locator('main :is(button, select, input, canvas):visible').count(), 0);
  await keep(page, 'print', { fullPage: true });
  await close();
});

test('the keyboard reaches the run and the views, and stays in the code it scrolls', async () => {
  const { page, close } = await open(chapter);
  const focused = what => page.evaluate(what => document.activeElement.matches(what), what);
  const tabTo = async what => {
    for (let presses = 0; presses < 200; presses++) {
      if (await focused(what)) return;
      await page.keyboard.press('Tab');
    }
    assert.fail(`200 times Tab do not lead to ${what}`);
  };
  await tabTo('.wb-run');
  await tabTo('.wb-views input');
  await page.keyboard.press('ArrowRight');
  assert.ok(await focused('.wb-views [value=split]:checked'));
  await page.locator('.wb-split').first().waitFor();
  await tabTo('.wb-split pre');

  // Turning the page is a request for another document; the browser asks for it before the next frame is drawn.
  const turned = [];
  page.on('request', request => request.isNavigationRequest() && turned.push(request.url()));
  const frames = () => page.evaluate(() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done))));
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowLeft');
  await frames();
  assert.deepEqual(turned, []);
  // Outside of code these keys are mdBook's: this test would see the page turn.
  await page.evaluate(() => document.activeElement.blur());
  await Promise.all([page.waitForEvent('framenavigated'), page.keyboard.press('ArrowLeft')]);
  assert.equal(turned.length, 1);
  await close();
});
