// The hand-out of each chapter: what a class gets on paper, and what it must not get.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { A4, eachOf, Lab, sheetsOf, startBrowser } from './lab.js';

/** A hand-out is at most two sheets, printed on both sides. */
const PAGES_MAX = 4;

let browser, lab;
before(async () => { [browser, lab] = await Promise.all([startBrowser(), Lab.start()]); });
after(async () => { await Promise.all([browser?.close(), lab?.stop()]); });

test('the hand-out of every chapter has story, chart and questions, no answers, and at most four pages', async () => {
  const names = Object.keys(await lab.scenarios());
  assert.ok(names.length > 8, names.join(' '));
  await eachOf(names, async name => {
    const page = await browser.newPage();
    await page.goto(`${lab.url}${name}.html?handout`);
    await page.waitForSelector('.wb-handout-bar');
    const shown = await page.locator('main').evaluate(main => main.innerText);
    for (const part of ['What you see', 'Predict', 'Questions']) assert.ok(shown.includes(part), `${name}: ${part}`);
    for (const part of ['Answer, from the run', 'For the trainer', 'It really happened']) assert.ok(!shown.includes(part), `${name}: ${part}`);
    assert.ok(await page.locator('.wb-chart').first().isVisible(), name);
    const { sizes } = await sheetsOf(page);
    assert.ok(sizes.length <= PAGES_MAX, `${name}: ${sizes.length} pages`);
    assert.deepEqual(sizes[0], A4);
    await page.close();
  });
});

test('a chapter itself is no hand-out, and its notes for the trainer are folded and lead to it', async () => {
  const page = await browser.newPage();
  await page.goto(`${lab.url}unconsumed-send.html`);
  const notes = page.locator('details.wb-trainer');
  assert.equal(await notes.count(), 1);
  assert.equal(await notes.evaluate(one => one.open), false);
  assert.equal(await page.locator('.wb-handout-bar').count(), 0);
  await notes.locator('summary').click();
  await notes.locator('a.wb-handout').click();
  await page.waitForSelector('.wb-handout-bar');
  assert.ok(await page.locator('#it-really-happened').isHidden());
  await page.locator('.wb-handout-bar a').click();
  await page.waitForURL(/unconsumed-send\.html$/);
  assert.ok(await page.locator('#it-really-happened').isVisible());
  await page.close();
});
