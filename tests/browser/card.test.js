// The card is one sheet of A4 for each part, with every scenario on it, and every way of the index leads to a chapter.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { A4, Lab, TARGET, sheetsOf, startBrowser } from './lab.js';

/** Smaller letters are not read from a sheet on a desk. */
const POINTS_MIN = 7;

let lab, browser;
before(async () => {
  lab = await Lab.start();
  browser = await startBrowser();
});
after(async () => {
  await browser?.close();
  await lab?.stop();
});

test('each part of the card fits one sheet of A4, and every scenario is on one', async () => {
  const page = await browser.newPage();
  await page.goto(`${lab.url}card.html`);
  const names = Object.keys(await lab.scenarios());
  const listed = await page.locator('.wb-card tbody th a').evaluateAll(links => links.map(link => link.getAttribute('href')));
  assert.ok(names.length > 8, names.join(' '));
  assert.deepEqual(listed.toSorted(), names.map(name => `${name}.html`).toSorted());

  const { pdf, sizes } = await sheetsOf(page);
  mkdirSync(path.join(TARGET, 'screenshots'), { recursive: true });
  writeFileSync(path.join(TARGET, 'screenshots/card.pdf'), pdf);
  const parts = page.locator('.wb-card');
  assert.ok(await parts.count() > 2);
  assert.deepEqual(sizes, Array(await parts.count()).fill(A4));

  await page.emulateMedia({ media: 'print' });
  const pixels = await page.locator('.wb-card td').first().evaluate(cell => parseFloat(getComputedStyle(cell).fontSize));
  assert.ok(pixels * 72 / 96 >= POINTS_MIN, `${pixels} px`);
  for (const table of await page.locator('.wb-card table').all()) {
    const share = await table.evaluate(table => table.clientWidth / table.closest('main').clientWidth);
    assert.ok(share > 0.95, `a part takes ${share} of the sheet`);
  }
  for (const hidden of await page.locator('.wb-card-about').all()) assert.equal(await hidden.isVisible(), false);

  // What does not fit is seen: the same rows many times are more than one sheet.
  await page.locator('.wb-card tbody').first().evaluate(rows => { rows.innerHTML = rows.innerHTML.repeat(6); });
  assert.ok((await sheetsOf(page)).sizes.length > sizes.length);
  await page.close();
});

test('every scenario is in each way of the index, and every link leads somewhere', async () => {
  const page = await browser.newPage();
  await page.goto(`${lab.url}symptoms.html`);
  const chapters = Object.keys(await lab.scenarios()).map(name => `${name}.html`).toSorted();
  const tables = page.locator('.wb-index');
  // A table for each heading of the remarks, then by gauge, by screen, and what is late.
  const headings = await page.locator('h3').count();
  assert.ok(headings > 3, `${headings} headings`);
  assert.equal(await tables.count(), headings + 3);
  const links = async at => tables.nth(at).locator('a').evaluateAll(all => all.map(link => link.getAttribute('href')));
  const remarks = (await Promise.all(Array.from({ length: headings }, (_, at) => links(at)))).flat();
  for (const found of [remarks, await links(headings), await links(headings + 1)]) {
    assert.deepEqual(chapters.filter(chapter => !found.includes(chapter)), []);
  }
  const ways = await tables.locator('a').evaluateAll(all => [...new Set(all.map(link => link.href))]);
  // What leads out of the book is nobody's to ask here.
  for (const href of ways.filter(href => href.startsWith(lab.url))) {
    assert.equal((await page.request.get(href)).status(), 200, href);
  }
  // A cell has no more ways than a reader can choose from.
  const most = await tables.locator('ul').evaluateAll(lists => Math.max(...lists.map(list => list.children.length)));
  assert.ok(most <= 5, `${most} ways in one cell`);
  await page.close();
});
