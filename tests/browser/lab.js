// What the tests share: the lab, the browser, and waiting for something to become true.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const TARGET = path.resolve(ROOT, process.env.CARGO_TARGET_DIR ?? 'target');
export const LAB = path.join(TARGET, 'debug/lab');
/** A first press compiles the programs. */
export const BUILD_LIMIT = 600_000;
/** What takes some seconds, on a busy machine too. */
const ANSWER_LIMIT = 120_000;

const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync'];

/** What a workbook needs that serves and runs. */
const COPIED = ['.cargo', 'Cargo.toml', 'Cargo.lock', 'book.toml', 'book', 'controls', 'crates', 'exercises', 'scenarios'];

/** A copy of the workbook that a test may change, always in the same place: what cargo builds there it finds again the next time. */
export function copyOfWorkbook(name) {
  const root = path.join(TARGET, 'tmp', name);
  rmSync(root, { recursive: true, force: true });
  mkdirSync(root, { recursive: true });
  for (const entry of COPIED) cpSync(path.join(ROOT, entry), path.join(root, entry), { recursive: true });
  return root;
}

/** Starts Chromium; its profile is new and goes with it. */
export async function startBrowser() {
  const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
  if (!existsSync(executablePath)) {
    throw new Error(`no Chromium at ${executablePath}: run \`apt-get install chromium\`, or set CHROMIUM to where yours is`);
  }
  return chromium.launch({ executablePath, args: FLAGS });
}

/** Does the same with all items, two at a time: as many as CI has cores. */
export async function eachOf(items, work) {
  const rest = [...items];
  const one = async () => { while (rest.length) await work(rest.shift()); };
  await Promise.all([one(), one()]);
}

/**
 * Does the work, and begins anew if it does not come to an end. Once, in some fifteen runs, the keyboard test waited for minutes while the
 * machine was idle; which call was never answered is not known. Playwright limits neither `keyboard.press` nor `evaluate`.
 */
export async function answered(work) {
  for (let tries = 0; tries < 3; tries++) {
    const done = await Promise.race([work().then(() => true), delay(ANSWER_LIMIT, false, { ref: false })]);
    if (done) return;
  }
  throw new Error(`three times this had not come to an end within ${ANSWER_LIMIT / 1000} s`);
}

/** The sheets that a page would be printed on, each with its size in points; a PDF names them in the clear. */
export async function sheetsOf(page) {
  const pdf = await page.pdf({ preferCSSPageSize: true });
  const sizes = [...pdf.toString('latin1').matchAll(/\/MediaBox\s*\[0 0 ([\d.]+) ([\d.]+)\]/g)];
  return { pdf, sizes: sizes.map(([, width, height]) => [Math.round(width), Math.round(height)]) };
}

/** A4 in points. Chromium rounds to whole pixels. */
export const A4 = [595, 842];

/** The lab, serving the book of `root` on a port of its own. */
export class Lab {
  /** What it said on its error output. */
  complaints = '';

  static async start(root = ROOT, env = {}, args = []) {
    if (!existsSync(LAB)) throw new Error(`no ${LAB}: run \`cargo build --bin lab\` first`);
    const lab = new Lab();
    lab.child = spawn(LAB, ['serve', '--port', '0', '--no-open', ...args], { cwd: root, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    lab.ended = once(lab.child, 'exit');
    lab.child.stderr.on('data', text => { lab.complaints += text; });
    for await (const line of createInterface({ input: lab.child.stdout })) {
      lab.url = line.match(/http:\S+/)?.[0];
      if (lab.url) return lab;
    }
    throw new Error(`the lab ended before it served: ${lab.complaints}`);
  }

  /** Ends it as a terminal or a supervisor would. */
  async stop() {
    this.child.kill('SIGTERM');
    await this.ended;
  }

  async scenarios() { return (await this.known()).scenarios; }

  async exercises() { return (await this.known()).exercises; }

  async known() { return (await fetch(`${this.url}api/lab`)).json(); }

  /** The programs of a scenario that run below the lab, by process id. */
  programs(scenario) {
    const parents = new Map();
    for (const pid of readdirSync('/proc').filter(name => /^\d+$/.test(name)).map(Number)) {
      const stat = tried(() => readFileSync(`/proc/${pid}/stat`, 'utf8'));
      // The name in brackets may hold spaces; the parent is the second word behind it.
      if (stat) parents.set(pid, Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
    }
    const below = pid => pid !== undefined && (pid === this.child.pid || below(parents.get(pid)));
    const isProgram = pid => path.basename(tried(() => readlinkSync(`/proc/${pid}/exe`)) ?? '').startsWith(`${scenario}-`);
    return [...parents.keys()].filter(pid => below(pid) && isProgram(pid));
  }
}

function tried(read) {
  try {
    return read();
  } catch {
    return undefined; // The process ended in between.
  }
}

/** Waits until `holds` returns something true, and returns it. The kernel tells nobody when a process is gone, so this asks. */
export async function until(what, limit, holds) {
  const end = Date.now() + limit;
  for (;;) {
    const value = await holds();
    if (value) return value;
    if (Date.now() > end) throw new Error(`not within ${limit / 1000} s: ${what}`);
    await delay(50);
  }
}

/** The pages of the book, in its order, as the sidebar names them. */
export async function pagesOf(browser, url) {
  const page = await browser.newPage();
  await page.goto(url);
  const links = page.locator('#mdbook-sidebar .chapter a[href]:not([href*="#"])');
  await links.first().waitFor({ state: 'attached' });
  const pages = await links.evaluateAll(all => all.map(link => link.href));
  await page.close();
  return [...new Set(pages)];
}

/** Everything a page must not do: other hosts, failed requests, errors on the console. */
export function watch(page) {
  const problems = [];
  const own = url => /^(data|blob|about):/.test(url) || new URL(url).hostname === '127.0.0.1';
  page.on('request', request => own(request.url()) || problems.push(`another host: ${request.url()}`));
  // A page that is left takes back what it asked.
  const takenBack = request => request.url().endsWith('/api/build') && request.failure()?.errorText === 'net::ERR_ABORTED';
  page.on('requestfailed', request => takenBack(request) || problems.push(`failed: ${request.url()} ${request.failure()?.errorText}`));
  page.on('response', response => response.status() < 400 || problems.push(`${response.status()}: ${response.url()}`));
  page.on('console', message => ['error', 'warning'].includes(message.type()) && problems.push(`console: ${message.text()}`));
  page.on('pageerror', error => problems.push(`exception: ${error}`));
  return problems;
}

/** Keeps a picture for those who look after a run. */
export async function keep(page, name, options) {
  const folder = path.join(TARGET, 'screens');
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: path.join(folder, `${name}.png`), ...options });
}
