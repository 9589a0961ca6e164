// The interviewer's sheet of every kit is at most three sheets of A4, in letters that can be read, and complete without colour.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { A4, LAB, ROOT, TARGET, sheetsOf, startBrowser } from './lab.js';

const SHEETS_MAX = 3;
/** Smaller letters are not read from a sheet on a desk. */
const POINTS_MIN = 7;

let browser, folder;
before(async () => {
  browser = await startBrowser();
  folder = mkdtempSync(path.join(tmpdir(), 'kits-'));
});
after(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true });
});

/** Names of scenarios and exercises that have what a kit needs; `cargo test --test kit` names the others. */
function names() {
  const folders = within => readdirSync(path.join(ROOT, within), { withFileTypes: true }).filter(one => one.isDirectory()).map(one => one.name);
  const scenarios = folders('scenarios').filter(name => existsSync(path.join(ROOT, `book/kits/${name}.toml`)));
  return [...scenarios, ...folders('exercises').filter(name => existsSync(path.join(ROOT, `exercises/${name}/kit.toml`)))];
}

test('every interviewer\'s sheet prints on three sheets of A4', async () => {
  const page = await browser.newPage();
  mkdirSync(path.join(TARGET, 'screenshots'), { recursive: true });
  const all = names();
  assert.ok(all.length > 2, all.join(' '));
  const told = [];
  for (const [at, name] of all.entries()) {
    const out = path.join(folder, name);
    // The longer plan, and nouns that have to be named.
    const { status, stderr } = spawnSync(LAB, ['kit', name, '--out', out, '--seed', String(at + 1)], { cwd: ROOT, encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    await page.goto(`file://${out}/interviewer.html`);
    const { pdf, sizes } = await sheetsOf(page);
    writeFileSync(path.join(TARGET, `screenshots/kit-${name}.pdf`), pdf);
    told.push(`${name} ${sizes.length}`);
    assert.ok(sizes.length <= SHEETS_MAX, `${name} needs ${sizes.length} sheets`);
    assert.deepEqual(sizes, sizes.map(() => A4), name);
    await page.emulateMedia({ media: 'print' });
    const smallest = await page.evaluate(() => Math.min(...[...document.querySelectorAll('body *')]
      .filter(one => one.childNodes.length && [...one.childNodes].some(node => node.nodeType === Node.TEXT_NODE && node.data.trim()))
      .map(one => parseFloat(getComputedStyle(one).fontSize))));
    assert.ok(smallest * 72 / 96 >= POINTS_MIN, `${name}: letters of ${smallest} px`);
    // Nothing is cut off at the right.
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${name} is too wide`);
    await page.emulateMedia({ media: null });
  }
  console.log(told.join(', '));

  // What does not fit is seen: the same twice is more than three sheets.
  await page.evaluate(() => { document.body.innerHTML = document.body.innerHTML.repeat(3); });
  assert.ok((await sheetsOf(page)).sizes.length > SHEETS_MAX);
  await page.close();
});
