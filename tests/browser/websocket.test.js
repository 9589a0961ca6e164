// The chapters on WebSocket against a browser's WebSocket: tabs that talk, tabs that are closed, and a whole browser that is
// stopped with SIGSTOP. The book is not needed here, and the lab neither.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { BUILD_LIMIT, ROOT, TARGET, startBrowser, until } from './lab.js';

const LIMIT = 30_000;
const TABS = 5;
/** Longer than a member may be silent. */
const SILENCE = 4_000;
const PAGE = pathToFileURL(path.join(ROOT, 'scenarios/websocket-broadcast/page.html'));
const PROGRAMS = ['websocket-broadcast', 'websocket-select'].flatMap(name => ['leak', 'fix'].map(side => `${name}-${side}`));

before(() => promisify(execFile)('cargo', ['build', ...PROGRAMS.flatMap(program => ['--bin', program])],
  { cwd: ROOT, timeout: BUILD_LIMIT }));

/** One side, waiting for real members. */
class Service {
  /** What it said on its error output. */
  complaints = '';

  static async start(program) {
    const service = new Service();
    const listen = `${program.replace(/-\w+$/, '').replaceAll('-', '_').toUpperCase()}_LISTEN`;
    service.child = spawn(path.join(TARGET, 'debug', program), ['--json', '--no-console', '--units', '1'],
      { env: { ...process.env, [listen]: '127.0.0.1:0' }, stdio: ['ignore', 'pipe', 'pipe'] });
    service.ended = once(service.child, 'exit');
    createInterface({ input: service.child.stdout }).on('line', line => {
      const { type, gauges } = JSON.parse(line);
      if (type === 'sample') service.latest = { gauges, at: Date.now() };
    });
    service.child.stderr.on('data', text => { service.complaints += text; });
    service.port = await until(`${program} says where it listens`, LIMIT,
      () => Number(service.complaints.match(/127\.0\.0\.1:(\d+)/)?.[1]));
    return service;
  }

  /** Gauges that were read after this call, when they are so. */
  async gaugesWhen(what, holds) {
    // A sample may have been on its way: the next but one was not.
    const from = Date.now() + 500;
    const read = () => this.latest?.at > from && holds(this.latest.gauges) && this.latest.gauges;
    return until(what, LIMIT, read).catch(error => {
      throw new Error(`${error.message}; at last ${JSON.stringify([this.latest, this.child.exitCode, this.complaints])}`);
    });
  }

  async stop() {
    this.child.kill('SIGKILL');
    await this.ended;
  }
}

const cleanup = [];
after(async () => {
  for (const end of cleanup.reverse()) await end();
});

async function owned(starting, end = thing => thing.stop()) {
  const thing = await starting;
  cleanup.push(() => end(thing));
  return thing;
}

/** A tab in a room. */
async function enter(browser, { port }) {
  const page = await browser.newPage();
  await page.goto(`${PAGE}#127.0.0.1:${port}/hall`);
  await page.getByText('here').waitFor();
  return page;
}

async function say(page, text) {
  await page.getByLabel('Say').fill(text);
  await page.getByRole('button', { name: 'Send' }).click();
}

const heard = page => page.locator('#heard li').allInnerTexts();

for (const side of ['leak', 'fix']) {
  test(`tabs hear each other, outlive their pings, and leave nothing in ${side} when they are closed`, async () => {
    const service = await owned(Service.start(`websocket-broadcast-${side}`));
    const browser = await owned(startBrowser(), it => it.close());
    const before = await service.gaugesWhen('it runs', () => true);
    const pages = [];
    for (let n = 1; n <= TABS; n += 1) {
      pages.push(await enter(browser, service));
      await service.gaugesWhen('it joined', ({ members }) => members === n);
    }
    await say(pages[0], 'good evening');
    for (const page of pages) await page.getByText('good evening').waitFor();
    // A browser answers pings by itself.
    await new Promise(resolve => { setTimeout(resolve, SILENCE); });
    await say(pages[1], 'still here');
    for (const page of pages) {
      await page.getByText('still here').waitFor();
      assert.deepEqual(await heard(page), ['good evening', 'still here']);
    }
    await Promise.all(pages.map(page => page.close()));
    await service.gaugesWhen('nothing is left', ({ members, tasks, sockets, queued }) =>
      members + queued === 0 && tasks === before.tasks && sockets === before.sockets);
  });
}

/** Sends a signal to every process of a browser. */
async function signalAll(browser) {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  const pids = processInfo.map(({ id }) => id);
  return name => pids.forEach(pid => {
    try {
      process.kill(pid, name);
    } catch (error) {
      if (error.code !== 'ESRCH') throw error; // It ended in between.
    }
  });
}

for (const [side, left] of [['leak', 1], ['fix', 0]]) {
  test(`a browser that is stopped is ${left ? 'kept in leak' : 'put out of fix'}, and another one chats on`, async () => {
    const service = await owned(Service.start(`websocket-broadcast-${side}`));
    const awake = await owned(startBrowser(), it => it.close());
    const asleep = await owned(startBrowser(), it => it.close());
    const [page, sleeper] = [await enter(awake, service), await enter(asleep, service)];
    await service.gaugesWhen('both joined', ({ members }) => members === 2);
    const signal = await signalAll(asleep);
    cleanup.push(() => signal('SIGCONT'));
    signal('SIGSTOP');
    if (!left) await service.gaugesWhen('the stopped one is out', ({ members }) => members === 1);
    await say(page, 'where are you?');
    await page.getByText('where are you?').waitFor();
    await new Promise(resolve => { setTimeout(resolve, SILENCE); });
    await service.gaugesWhen(`${left} more than one`, ({ members }) => members === 1 + left);
    signal('SIGCONT');
    if (left) await sleeper.getByText('where are you?').waitFor();
    // The hub hung up without a goodbye, and the page can tell.
    else await sleeper.getByText('gone, 1006').waitFor();
  });
}

for (const [side, left] of [['leak', TABS], ['fix', 0]]) {
  test(`${TABS} closed tabs leave ${left} tasks and sockets in websocket-select-${side}`, async () => {
    const service = await owned(Service.start(`websocket-select-${side}`));
    const browser = await owned(startBrowser(), it => it.close());
    const before = await service.gaugesWhen('it runs', () => true);
    const pages = await Promise.all(Array.from({ length: TABS }, () => browser.newPage()));
    for (const page of pages) {
      const score = page.evaluate(url => new Promise((resolve, reject) => {
        const line = new WebSocket(url);
        line.onmessage = ({ data }) => resolve(data);
        line.onerror = reject;
      }), `ws://127.0.0.1:${service.port}/`);
      assert.equal(await score, '0:0');
    }
    await Promise.all(pages.map(page => page.close()));
    await service.gaugesWhen(`${left} are left`, ({ tasks, sockets }) =>
      tasks === before.tasks + left && sockets === before.sockets + left);
  });
}
