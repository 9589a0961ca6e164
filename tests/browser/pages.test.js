// Every page of the book, as the sidebar names them: whole, light, readable, on a phone, without a script, in print, by keyboard.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { AxeBuilder } from '@axe-core/playwright';
import { A4, Lab, ROOT, answered, eachOf, keep, pagesOf, sheetsOf, startBrowser, watch } from './lab.js';

const DESK = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 844 };
const THEMES = ['light', 'rust', 'coal', 'navy', 'ayu'];
/** The heaviest page has 130 KB: an exercise with four programs. The list of all pages is part of each. */
const WEIGHT_MAX = 132 * 1024;
/** A handout that is stapled once. */
const SHEETS_MAX = 6;
/** The index of symptoms is looked up, and not handed out: it grows with what reporters see. */
const INDEX_SHEETS_MAX = 16;
/** It is the longest page, too. */
const INDEX_WEIGHT_MAX = 150 * 1024;
/** Smaller letters are not read on paper. */
const POINTS_MIN = 7;
/** A sheet of A4 without its margins, in pixels. */
const SHEET = { width: 718, height: 1000 };

let lab, browser, pages, chapter, exercise, templates;

before(async () => {
  [lab, browser] = await Promise.all([Lab.start(), startBrowser()]);
  pages = await pagesOf(browser, lab.url);
  // A chapter whose code is shown in part, and whose gauges are on both sides.
  const scenario = 'closed-too-early';
  chapter = `${lab.url}${scenario}.html`;
  const [first] = await lab.exercises();
  exercise = `${lab.url}${first}.html`;
  templates = [chapter, exercise, ...['', 'card.html', 'practice.html', 'symptoms.html'].map(page => lab.url + page)];
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
  const ready = options.javaScriptEnabled === false || page.waitForResponse(/\/api\/build$/);
  await Promise.all([page.goto(url), ready]);
  await page.evaluate(() => document.fonts.ready.then(() => true));
  return { page, looked, close: () => context.close() };
}

test('the sidebar names every page, one for each scenario and exercise among them', async () => {
  const names = pages.map(name);
  for (const name of [...Object.keys(await lab.scenarios()), ...await lab.exercises()]) assert.ok(names.includes(`/${name}.html`), name);
});

test('a page loads little, without an error, fits a desk, a phone and a handout, and axe finds nothing', async () => {
  const bad = {};
  await eachOf(pages, async url => {
    const { page, looked, close } = await open(url, { reducedMotion: 'reduce', look: page => {
      const responses = [];
      page.on('response', response => response.url().includes('/api/') || responses.push(response));
      return { problems: watch(page), responses };
    } });
    const bodies = await Promise.all(looked.responses.map(response => response.body()));
    const weight = bodies.reduce((sum, body) => sum + gzipSync(body).length, 0);
    const found = [...looked.problems, ...await tooWide(page), ...await findings(page)];
    const isIndex = url.endsWith('/symptoms.html');
    if (weight > (isIndex ? INDEX_WEIGHT_MAX : WEIGHT_MAX)) found.push(`${weight} bytes`);
    const { sizes } = await sheetsOf(page);
    const most = isIndex ? INDEX_SHEETS_MAX : SHEETS_MAX;
    if (sizes.length > most || sizes.some(size => String(size) !== String(A4))) found.push(`${sizes.length} sheets: ${sizes.join(' ')}`);
    found.push(...await tooWideOnPaper(page));
    await page.setViewportSize(PHONE);
    found.push(...await tooWide(page));
    console.log(`${name(url)}: ${looked.responses.length} responses, ${(weight / 1024).toFixed(0)} KB compressed, ${sizes.length} sheets`);
    if (found.length) bad[name(url)] = found;
    await close();
  });
  assert.deepEqual(bad, {});
});

/** What is wider than its room: the page, or a table of gauges, whose last column is the one that tells. */
function tooWide(page) {
  return page.evaluate(() => [document.documentElement, ...document.querySelectorAll('.wb-gauges')]
    .filter(box => box.scrollWidth > box.clientWidth)
    .map(box => `${box.className || box.tagName}: ${box.scrollWidth} in ${box.clientWidth} of ${innerWidth}`));
}

/** Tables and code that would be cut off on paper, where nothing scrolls. */
async function tooWideOnPaper(page) {
  await page.emulateMedia({ media: 'print' });
  await page.setViewportSize(SHEET);
  const found = await page.evaluate(() => [...document.querySelectorAll('main :is(.table-wrapper, pre)')]
    .filter(box => box.checkVisibility() && box.scrollWidth > box.clientWidth + 1)
    .map(box => `on paper ${box.className || box.textContent.slice(0, 40)}: ${box.scrollWidth} in ${box.clientWidth}`));
  await page.emulateMedia({ media: 'screen' });
  return found;
}

test('what is too wide and too long is seen', async () => {
  const { page, close } = await open(chapter, { viewport: PHONE });
  await page.evaluate(() => {
    document.querySelector('.wb-gauges td').textContent = 'x'.repeat(99);
    document.querySelector('main').style.minHeight = '3000mm';
  });
  assert.match(String(await tooWide(page)), /wb-gauges/);
  assert.match(String(await tooWideOnPaper(page)), /on paper .*wb-gauges/);
  assert.ok((await sheetsOf(page)).sizes.length > SHEETS_MAX);
  await close();
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
      // Google's limit for "good" is 0.1. On an idle machine nothing moves; a busy one showed 0.027 once.
      assert.ok(shift < 0.05, `${name(url)} at ${viewport.width}: ${shift}`);
      await close();
    }
  }
});

test('the first screen of the book shows a leak', async () => {
  for (const viewport of [DESK, PHONE]) {
    const { page, close } = await open(lab.url, { viewport });
    const plot = await page.locator('.wb-drawing svg').first().boundingBox();
    assert.ok(plot.y + plot.height <= viewport.height, `the plot ends at ${plot.y + plot.height}`);
    await keep(page, `first-${viewport.width}`);
    await close();
  }
});

/** The rules that look at colours. Themes differ in nothing else. */
const OF_COLOUR = { runOnly: { type: 'rule', values: ['color-contrast', 'link-in-text-block'] } };

/** What axe finds, with every answer unfolded. Its lesser findings count too: there is none. */
async function findings(page, options = {}) {
  await page.evaluate(() => document.querySelectorAll('details').forEach(details => { details.open = true; }));
  const { violations } = await new AxeBuilder({ page }).options({ resultTypes: ['violations'], ...options }).analyze();
  return violations.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map(node => node.target.join(' ')).join(' | ')}`);
}

test('axe sees what is wrong', async () => {
  const { page, close } = await open(chapter);
  await page.evaluate(() => document.querySelector('main').insertAdjacentHTML('afterbegin', '<img src="data:,"><p style="color:#eee;background:#fff">Too pale to read.</p>'));
  const rules = async options => (await findings(page, options)).map(finding => finding.split(':')[0]).sort();
  assert.deepEqual(await rules(), ['color-contrast', 'image-alt']);
  assert.deepEqual(await rules(OF_COLOUR), ['color-contrast']);
  await close();
});

test('axe finds no bad colour in any theme, on a page of each kind, nor anything on a phone', async () => {
  const bad = {};
  const light = [chapter, exercise].flatMap(url => [[url, 'light', PHONE], [url, 'navy', PHONE]]);
  const others = THEMES.filter(theme => theme !== 'light').flatMap(theme => templates.map(url => [url, theme, DESK]));
  await eachOf([...light, ...others], async ([url, theme, viewport]) => {
    const { page, close } = await open(url, { viewport, theme, reducedMotion: 'reduce' });
    assert.ok(await page.evaluate(theme => document.documentElement.classList.contains(theme), theme));
    const found = await findings(page, theme === 'light' ? {} : OF_COLOUR);
    if (found.length) bad[`${name(url)} in ${theme} at ${viewport.width}`] = found;
    await close();
  });
  assert.deepEqual(bad, {});
});

test('without a script the drawings of all gauges, diffs, tables and answers are there', async () => {
  for (const viewport of [DESK, PHONE]) {
    const { page, close } = await open(chapter, { javaScriptEnabled: false, viewport });
    const chart = page.locator('.wb-chart').first();
    assert.equal(await chart.locator('button, .wb-bar:visible').count(), 0);
    await everyGaugeCanBeChosen(page, chart);
    const listing = page.locator('.wb-listing').first();
    assert.ok(await listing.locator('.wb-gap').count() >= 1);
    assert.equal(await listing.locator('pre:visible').count(), 1);
    await listing.locator('summary').click();
    assert.equal(await listing.locator('pre:visible').count(), 2);
    const diff = page.locator('.wb-diff').first();
    await diff.locator('.wb-hunks ins').first().waitFor();
    assert.equal(await diff.locator('pre:visible').count(), 1);
    await diff.locator('summary').click();
    await diff.locator('.wb-uni ins').first().waitFor();
    for (const [at, shown] of [[1, '.wb-split'], [2, '.wb-uni del'], [3, '.wb-uni ins'], [0, '.wb-uni ins']]) {
      await diff.locator('.wb-views label').nth(at).click();
      await diff.locator(shown).first().waitFor();
      assert.equal(await diff.locator('.wb-uni del:visible').count() > 0, at === 0 || at === 2);
    }
    for (const table of ['.wb-gauges', '.wb-sides', '.wb-survivors']) await page.locator(table).first().waitFor();
    const details = page.locator('.wb-answer').first();
    await details.locator('summary').click();
    await details.locator('p').first().waitFor();
    await keep(page, `no-script-${viewport.width}`, { fullPage: true });
    await close();
  }
});

/** Chooses one gauge after the other: each shows a drawing and words of its own, and nothing below it moves. */
async function everyGaugeCanBeChosen(page, chart) {
  const labels = chart.locator('.wb-gauge label');
  const below = async () => (await chart.locator('.wb-source').boundingBox()).y;
  const [before, seen] = [await below(), new Set()];
  assert.ok(await labels.count() >= 6, await labels.allTextContents());
  for (const label of await labels.all()) {
    await label.click();
    const shown = chart.locator('.wb-drawing:visible');
    assert.equal(await shown.count(), 1);
    const words = await shown.locator('.wb-story').textContent();
    assert.equal(await shown.locator('> svg').getAttribute('aria-label'), words);
    assert.ok(await shown.locator('polyline').count() >= 2, words);
    seen.add(words);
    assert.equal(await below(), before, words);
  }
  assert.equal(seen.size, await labels.count());
}

test('values are under the pointer, and words begin with the value before the load', async () => {
  const { page, close } = await open(chapter);
  const { sides: { leak }, gauge } = JSON.parse(readFileSync(path.join(ROOT, `book/recordings/${name(chapter).slice(1, -5)}.json`), 'utf8'));
  const shown = page.locator('.wb-drawing:visible').first();
  const number = n => n.toLocaleString('en-US');
  await shown.getByText(new RegExp(`leak climbs from ${number(leak.report.before[gauge])} to ${number(leak.report.after[gauge])} `)).waitFor();
  const strip = shown.locator('.wb-moments rect').last();
  await strip.hover();
  assert.match(await strip.locator('title').textContent(), new RegExp(`leak ${number(leak.report.after[gauge])}, fix `));
  assert.equal(await strip.evaluate(rect => getComputedStyle(rect).fillOpacity), '0.1');
  await close();
});

/** Every colour of the page's own part, and the smallest letters of it in points. */
function paper(page) {
  return page.evaluate(() => {
    const all = [document.documentElement, document.body, ...document.querySelectorAll('main, main *')].filter(element => element.checkVisibility({ visibilityProperty: true }));
    const colours = all.map(element => {
      const { color, backgroundColor, fill, stroke, borderColor } = getComputedStyle(element);
      const classes = [...element.classList].filter(name => !['light', 'rust', 'coal', 'navy', 'ayu'].includes(name)).sort();
      return `${element.tagName} ${classes}: ${[color, backgroundColor, fill, stroke, borderColor]}`;
    });
    const written = all.filter(element => [...element.childNodes].some(node => node.nodeType === Node.TEXT_NODE && node.data.trim()));
    return { colours, points: Math.min(...written.map(element => parseFloat(getComputedStyle(element).fontSize) * 72 / 96)) };
  });
}

test('paper is light and readable in every theme', async () => {
  for (const url of [chapter, exercise, `${lab.url}card.html`]) {
    let light;
    for (const theme of THEMES) {
      const { page, close } = await open(url, { theme, reducedMotion: 'reduce' });
      await page.emulateMedia({ media: 'print', reducedMotion: 'reduce' });
      const { colours, points } = await paper(page);
      light ??= colours;
      assert.deepEqual(colours, light, `${name(url)} in ${theme}`);
      if (url !== `${lab.url}card.html`) assert.ok(points > POINTS_MIN - 0.01, `${points} pt`);
      await keep(page, `print-${name(url).slice(1, -5)}-${theme}`);
      await close();
    }
    assert.ok(light.length > 100 && light[0].includes('HTML'), light[0]);
  }
});

test('in print there are drawings, diffs and questions, no answers, and nothing to press', async () => {
  const { page, close } = await open(chapter);
  await page.locator('.wb-run').first().waitFor();
  for (const details of await page.locator('details').all()) await details.evaluate(details => { details.open = true; });
  await page.emulateMedia({ media: 'print' });
  await page.locator('.wb-drawing polyline.wb-leak').first().waitFor();
  await page.locator('.wb-hunks del').first().waitFor();
  assert.equal(await page.locator('main :is(button, select, canvas, label, figure details):visible').count(), 0);
  assert.ok(await page.locator('main summary:visible').count() >= 4);
  assert.equal(await page.locator('main details > :not(summary):visible').count(), 0);
  const kept = what => page.locator(what).first().evaluate(element => getComputedStyle(element).breakInside);
  for (const whole of ['.wb-chart', '.wb-screen', '.wb-gauges', '.wb-survivors', 'main tr']) assert.equal(await kept(whole), 'avoid', whole);
  for (const long of ['.wb-diff', '.wb-hunks pre', '.wb-hunks code']) assert.equal(await kept(long), 'auto', long);
  for (const head of ['main h2', 'main caption', 'main thead']) {
    assert.equal(await page.locator(head).first().evaluate(element => getComputedStyle(element).breakAfter), 'avoid', head);
  }
  await keep(page, 'print', { fullPage: true });
  await close();
});

test('an exercise in print has its story, its questions and its drawing, and neither hints nor solutions', async () => {
  const { page, close } = await open(exercise);
  await page.locator('.wb-run').first().waitFor();
  await page.evaluate(() => document.querySelectorAll('details').forEach(details => { details.open = true; }));
  await page.emulateMedia({ media: 'print' });
  await page.locator('.wb-drawing polyline.wb-leak').first().waitFor();
  assert.equal(await page.locator('main :is(button, label, .wb-reader):visible').count(), 0);
  assert.equal(await page.locator('main details > :not(summary):visible').count(), 0);
  assert.ok(await page.locator('main li:visible').count() >= 8, 'options');
  // A line each.
  for (const fold of ['.wb-hint', '.wb-solutions']) assert.ok((await page.locator(fold).first().boundingBox()).height < 60, fold);
  await keep(page, 'print-exercise', { fullPage: true });
  await close();
});

test('the keyboard reaches the sidebar, the run and the views, and stays in the code it scrolls', () => answered(async () => {
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
  await tabTo('.wb-gauge :checked');
  const first = await page.locator('.wb-drawing:visible .wb-story').first().textContent();
  await page.keyboard.press('ArrowRight');
  assert.notEqual(await page.locator('.wb-drawing:visible .wb-story').first().textContent(), first);
  assert.notEqual(await page.locator('.wb-gauge label:has(:focus-visible)').evaluate(label => getComputedStyle(label).outlineStyle), 'none');
  await tabTo('.wb-run');
  await tabTo('.wb-listing summary');
  await page.keyboard.press('Enter');
  await tabTo('.wb-listing details pre');
  await tabTo('.wb-diff summary');
  await page.keyboard.press('Enter');
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
}));
