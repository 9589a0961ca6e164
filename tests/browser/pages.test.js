// Every page of the book, as the sidebar names them: whole, light, readable, on a phone, without a script, in print, by keyboard.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { AxeBuilder } from '@axe-core/playwright';
import { Lab, keep, pagesOf, startBrowser, watch } from './lab.js';

const DESK = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 844 };
const WEIGHT_MAX = 400 * 1024;

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

test('a page loads little, from this host only, without an error, and fits a desk', async () => {
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
    await assertFits(page);
    await close();
  }
});

async function assertFits(page) {
  const [wide, room] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  assert.ok(wide <= room, `${name(page.url())}: ${wide} in ${room}`);
}

test('no page is wider than a phone', async () => {
  for (const url of pages) {
    const { page, close } = await open(url, { viewport: PHONE });
    await assertFits(page);
    await close();
  }
});

test('nothing moves while a page comes up', async () => {
  for (const viewport of [DESK, PHONE]) {
    for (const url of [lab.url, chapter]) {
      const { page, close } = await open(url, { viewport });
      await page.locator('.wb-run').first().waitFor();
      const shift = await page.evaluate(() => new Promise(done => {
        let sum = 0;
        new PerformanceObserver(list => { for (const entry of list.getEntries()) sum += entry.value; }).observe({ type: 'layout-shift', buffered: true });
        requestAnimationFrame(() => requestAnimationFrame(() => done(sum)));
      }));
      // Google's limit for "good" is 0.1.
      assert.ok(shift < 0.02, `${name(url)} at ${viewport.width}: ${shift}`);
      await close();
    }
  }
});

test('the first screen of the book shows a leak', async () => {
  for (const viewport of [DESK, PHONE]) {
    const { page, close } = await open(lab.url, { viewport });
    const plot = await page.locator('.wb-plot canvas').first().boundingBox();
    assert.ok(plot.y + plot.height <= viewport.height, `the plot ends at ${plot.y + plot.height}`);
    await keep(page, `first-${viewport.width}`);
    await close();
  }
});

/** What axe finds, with every answer unfolded. Its lesser findings count too: there is none. */
async function findings(page) {
  await page.evaluate(() => document.querySelectorAll('details').forEach(details => { details.open = true; }));
  const { violations } = await new AxeBuilder({ page }).options({ resultTypes: ['violations'] }).analyze();
  return violations.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map(node => node.target.join(' ')).join(' | ')}`);
}

test('axe sees what is wrong', async () => {
  const { page, close } = await open(chapter);
  await page.evaluate(() => document.querySelector('main').insertAdjacentHTML('afterbegin', '<img src="data:,"><p style="color:#eee;background:#fff">Too pale to read.</p>'));
  assert.deepEqual((await findings(page)).map(finding => finding.split(':')[0]).sort(), ['color-contrast', 'image-alt']);
  await close();
});

for (const [theme, viewport, everywhere] of [
  ['light', DESK, true], ['navy', PHONE, true], ['light', PHONE], ['rust', DESK], ['coal', DESK], ['navy', DESK], ['ayu', DESK],
]) {
  test(`axe finds nothing in ${theme} at ${viewport.width} pixels on ${everywhere ? 'every page' : 'a chapter'}`, async () => {
    const bad = {};
    for (const url of everywhere ? pages : [chapter]) {
      const { page, close } = await open(url, { viewport, theme, reducedMotion: 'reduce' });
      assert.ok(await page.evaluate(theme => document.documentElement.classList.contains(theme), theme));
      const found = await findings(page);
      if (found.length) bad[name(url)] = found;
      await close();
    }
    assert.deepEqual(bad, {});
  });
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

test('the keyboard reaches the sidebar, the run and the views, and stays in the code it scrolls', async () => {
  const { page, close } = await open(chapter);
  const focused = what => page.evaluate(what => document.activeElement.matches(what), what);
  const tabTo = async what => {
    for (let presses = 0; presses < 200; presses++) {
      if (await focused(what)) return;
      await page.keyboard.press('Tab');
    }
    assert.fail(`200 times Tab do not lead to ${what}`);
  };
  await tabTo('#mdbook-sidebar-toggle');
  const sidebar = page.locator('#mdbook-sidebar');
  for (const shown of [false, true]) {
    await page.keyboard.press('Enter');
    await sidebar.waitFor({ state: shown ? 'visible' : 'hidden' });
    assert.equal(await page.locator(':focus').getAttribute('aria-expanded'), String(shown));
  }
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
