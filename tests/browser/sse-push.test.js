// The chapter sse-push against a browser's EventSource: it reconnects with the id it saw last, and closed tabs leave what the
// side states. The book is not needed here, and the lab neither.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { BUILD_LIMIT, ROOT, TARGET, startBrowser, until } from './lab.js';

const LIMIT = 30_000;
const TABS = 5;
const program = side => `sse-push-${side}`;

before(() => promisify(execFile)('cargo', ['build', ...['leak', 'fix'].flatMap(side => ['--bin', program(side)])],
  { cwd: ROOT, timeout: BUILD_LIMIT }));

/** One side, waiting for real visitors. */
class Service {
  /** What it said on its error output. */
  complaints = '';

  static async start(side, { descriptors } = {}) {
    const service = new Service();
    service.side = side;
    const limit = descriptors ? `ulimit -n ${descriptors} && ` : '';
    service.child = spawn('sh', ['-c', `${limit}exec "$0" "$@"`, path.join(TARGET, 'debug', program(side)),
      '--json', '--no-console', '--units', '999'],
    { env: { ...process.env, SSE_PUSH_LISTEN: '127.0.0.1:0' }, stdio: ['ignore', 'pipe', 'pipe'] });
    service.ended = once(service.child, 'exit');
    service.started = Date.now();
    createInterface({ input: service.child.stdout }).on('line', line => {
      const { type, gauges } = JSON.parse(line);
      if (type === 'sample') service.latest = { gauges, at: Date.now() };
    });
    service.child.stderr.on('data', text => { service.complaints += text; });
    service.port = await until(`${side} says where it listens`, LIMIT,
      () => Number(service.complaints.match(/http:\/\/127\.0\.0\.1:(\d+)\//)?.[1]));
    return service;
  }

  /** A courier's scan; its id. */
  async scan(place) {
    const answer = await fetch(`http://127.0.0.1:${this.port}/parcels/P7/scans`,
      { method: 'POST', body: place, headers: { connection: 'close' } });
    assert.equal(answer.status, 200);
    return Number(await answer.text());
  }

  /** Gauges that were read after this call, when they are so. */
  async gaugesWhen(what, holds) {
    // A sample may have been on its way: the next but one was not.
    const from = Date.now() + 500;
    const read = () => this.latest?.at > from && holds(this.latest.gauges) && this.latest.gauges;
    return until(what, LIMIT, read).catch(error => {
      const { exitCode, signalCode } = this.child;
      throw new Error(`${error.message}; at last ${JSON.stringify([this.latest, Date.now() - from, exitCode, signalCode, this.complaints])}`);
    });
  }

  async stop() {
    this.child.kill('SIGKILL');
    await this.ended;
  }
}

/** Stands between browser and service: it can cut what is open, and keeps what browsers asked for. */
class Wire {
  requests = [];
  sockets = new Set();
  isCut = false;

  static async to(port) {
    const wire = new Wire();
    wire.server = net.createServer(near => wire.join(near, port));
    wire.server.listen(0, '127.0.0.1');
    await once(wire.server, 'listening');
    wire.url = `http://127.0.0.1:${wire.server.address().port}/`;
    return wire;
  }

  join(near, port) {
    if (this.isCut) return near.destroy();
    const far = net.connect(port, '127.0.0.1');
    near.on('data', text => this.requests.push(String(text)));
    for (const [socket, other] of [[near, far], [far, near]]) {
      this.sockets.add(socket);
      socket.pipe(other);
      socket.on('error', () => {});
      socket.on('close', () => { this.sockets.delete(socket); other.destroy(); });
    }
  }

  cut() {
    this.isCut = true;
    for (const socket of this.sockets) socket.destroy();
  }

  mend() {
    this.isCut = false;
  }

  async stop() {
    this.cut();
    this.server.close();
    await once(this.server, 'close');
  }

  streams() {
    return this.requests.filter(request => request.startsWith('GET /parcels/P7/events '));
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

const scans = page => page.locator('#scans li').evaluateAll(all => all.map(({ dataset, textContent }) => [Number(dataset.id), textContent]));

/** Opens the parcel's page and waits for both scans. */
async function open(browser, url) {
  const page = await browser.newPage();
  await page.goto(url);
  await page.locator('#scans li[data-id="2"]').waitFor();
  return page;
}

test('an EventSource that lost its stream comes back with the last id, and gets what it missed once', async () => {
  const service = await owned(Service.start('fix'));
  const wire = await owned(Wire.to(service.port));
  const browser = await owned(startBrowser(), it => it.close());
  const page = await open(browser, wire.url);
  assert.deepEqual(await scans(page), [[1, 'counter'], [2, 'depot']]);
  const at = await page.locator('#scans li').last().getAttribute('data-at');
  assert.ok(Math.abs(Date.parse(at) - service.started) < LIMIT, `the browser reads ${at} as a time of this run`);
  assert.doesNotMatch(wire.streams()[0], /last-event-id/i, 'a first visit knows of no id');

  wire.cut();
  await page.getByText('reconnecting').waitFor();
  // Nobody is there while the parcel moves.
  await service.gaugesWhen('the stream is gone', ({ streams_open, subscriptions }) => streams_open + subscriptions === 0);
  assert.equal(await service.scan('van'), 3);
  const mended = Date.now();
  wire.mend();
  await page.locator('#scans li[data-id="3"]').waitFor({ timeout: LIMIT });
  assert.match(wire.streams().at(-1), /^last-event-id: 2\r$/im);
  assert.ok(Date.now() - mended < 15_000, 'it came back by itself');
  assert.equal(await service.scan('door'), 4);
  await page.locator('#scans li[data-id="4"]').waitFor();
  assert.deepEqual(await scans(page), [[1, 'counter'], [2, 'depot'], [3, 'van'], [4, 'door']]);
  assert.equal(await page.locator('#state').innerText(), 'live');
});

for (const [side, left] of [['leak', TABS], ['fix', 0]]) {
  test(`${TABS} closed tabs leave ${left} tasks in ${side}`, async () => {
    const service = await owned(Service.start(side));
    const browser = await owned(startBrowser(), it => it.close());
    const before = await service.gaugesWhen('it runs', () => true);
    const pages = await Promise.all(Array.from({ length: TABS }, () => open(browser, `http://127.0.0.1:${service.port}/`)));
    await service.gaugesWhen('all watch', ({ streams_open }) => streams_open === TABS);
    await Promise.all(pages.map(page => page.close()));
    await service.gaugesWhen('all streams are closed', ({ streams_open }) => streams_open === 0);
    // The browser keeps connections for later visits; they go with it.
    await browser.close();
    await service.gaugesWhen(`${left} tasks and subscriptions are left`, ({ tasks, subscriptions, sockets }) =>
      tasks === before.tasks + left && subscriptions === left && sockets === before.sockets);
  });
}

test('a refused EventSource does not come back by itself', async () => {
  // 33 descriptors are one seat.
  const service = await owned(Service.start('fix', { descriptors: 33 }));
  const browser = await owned(startBrowser(), it => it.close());
  const url = `http://127.0.0.1:${service.port}/`;
  const seated = await open(browser, url);
  const refused = await browser.newPage();
  await refused.goto(url);
  await refused.getByText('refused').waitFor();
  await seated.close();
  await service.gaugesWhen('the seat is free', ({ streams_open }) => streams_open === 0);
  assert.equal(await refused.evaluate(() => source.readyState), 2, 'closed for good');
});
