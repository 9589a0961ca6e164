// The page's script: live runs and reloads where the lab serves the page, and mends of mdBook.
// Without it every page is complete: drawings, gauges, diffs and folded answers need no script.
'use strict';
(() => {
  /** How often a page that is looked at asks whether the book was rebuilt. No stream: a browser holds six connections to a host. */
  const ASK_EVERY_MS = 1000;
  const stillPlease = matchMedia('(prefers-reduced-motion: reduce)');
  const grouped = n => n.toLocaleString('en-US');

  function make(tag, properties, ...children) {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  }

  /** One chart of a chapter: a drawing for each gauge, the recorded ones or those of a live run in their place. */
  class Chart {
    constructor(figure) {
      this.figure = figure;
      this.scenario = figure.dataset.scenario;
      this.exercise = figure.dataset.exercise;
      this.gauges = figure.querySelector('.wb-gauge');
      this.source = figure.querySelector('.wb-source');
      this.bar = figure.querySelector('.wb-bar');
      this.recorded = { source: this.source.textContent, gauges: [...this.gauges.childNodes] };
      this.live = false;
    }

    radio(gauge) { return [...this.gauges.querySelectorAll('input')].find(input => input.value === gauge); }

    get chosen() { return this.gauges.querySelector('input:checked')?.value; }

    choose(gauge) {
      const radio = this.radio(gauge) ?? this.gauges.querySelector('input');
      if (radio) radio.checked = true;
    }

    /** Shows a live drawing in the place of the gauge's last one. The elements of the recorded run are kept as they are. */
    draw({ gauge, label, svg }) {
      if (!this.live) this.begin();
      const drawing = this.radio(gauge)?.closest('label').nextElementSibling ?? this.add(gauge, label ?? gauge.replaceAll('_', ' '));
      drawing.innerHTML = svg;
      drawing.append(make('p', { className: 'wb-story', textContent: drawing.firstElementChild.getAttribute('aria-label') }));
    }

    begin() {
      this.live = true;
      this.source.textContent = 'A live run on this machine.';
      const chosen = this.chosen;
      this.gauges.replaceChildren(...this.recorded.gauges.map(node => node.cloneNode(true)));
      this.choose(chosen);
    }

    /** A gauge that the recorded run did not have. */
    add(gauge, label) {
      const name = this.gauges.querySelector('input').name;
      const drawing = make('div', { className: 'wb-drawing' });
      this.gauges.append(make('label', {}, make('input', { type: 'radio', name, value: gauge }), label), drawing);
      return drawing;
    }

    showRecorded() {
      const chosen = this.chosen;
      this.live = false;
      this.source.textContent = this.recorded.source;
      this.gauges.replaceChildren(...this.recorded.gauges);
      this.choose(chosen);
    }
  }

  /** Adds "Run both" to a chart. One run at a time for each chart; the server limits them all together. */
  class Live {
    constructor(chart, sides) {
      this.chart = chart;
      this.sides = chart.figure.dataset.sides.split(' ').filter(side => sides.includes(side));
      this.runButton = make('button', { type: 'button', className: 'wb-run', textContent: this.first, onclick: () => this.start() });
      this.stopButton = make('button', { type: 'button', textContent: 'Stop', hidden: true, onclick: () => this.abort.abort() });
      this.backButton = make('button', { type: 'button', textContent: 'Show the recorded run', hidden: true, onclick: () => this.showRecorded() });
      this.progress = make('div', { className: 'wb-progress', hidden: true });
      this.status = make('p', { className: 'wb-status' });
      this.verdict = make('div', { className: 'wb-verdict', hidden: true });
      chart.bar.append(this.runButton, this.stopButton, this.backButton, this.progress);
      chart.bar.after(make('div', { role: 'status' }, this.status, this.verdict));
      addEventListener('pagehide', () => this.abort?.abort());
    }

    get first() { return `Run ${this.sides.length === 2 ? 'both' : 'all'}`; }

    get again() { return 'Run again'; }

    ask() {
      return fetch(`/api/run/${this.chart.scenario}`, {
        method: 'POST', headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ sides: this.sides }), signal: this.abort.signal,
      });
    }

    /** True while a reload would lose what the reader waits for or looks at: a run, its result, or why there is none. */
    holds = false;

    async start() {
      this.begin();
      let text = 'The run ended without a verdict.';
      try {
        const response = await this.ask();
        if (!response.ok) return this.end(`Not started: ${await refusal(response)}.`);
        for await (const line of lines(response.body)) text = this.take(JSON.parse(line)) ?? text;
      } catch (error) {
        text = this.abort.signal.aborted ? 'Stopped.' : `The run failed: ${error.message}`;
      }
      this.end(text);
    }

    begin() {
      this.abort = new AbortController();
      this.drawings = new Map();
      this.started = false;
      this.holds = true;
      this.runButton.hidden = this.backButton.hidden = this.verdict.hidden = true;
      this.stopButton.hidden = this.progress.hidden = false;
      this.progress.textContent = 'Asking the lab…';
      this.say('Preparing the run.');
      this.stopButton.focus();
    }

    /** Once for those who listen; the numbers go on for those who look. */
    say(text) { if (this.status.textContent !== text) this.status.textContent = text; }

    /** Takes one event; returns the last word when it is one. */
    take(event) {
      switch (event.event) {
        case 'build': return this.showBuild(event);
        case 'sample': return this.showSample(event);
        case 'stalled': return this.showStalled(event);
        case 'again': return this.say(`This machine was too busy to tell: try ${event.attempt}.`);
        case 'drawing': return this.keepDrawing(event);
        case 'verdict': return this.showVerdict(event);
        case 'error': throw new Error(event.message);
      }
    }

    showBuild({ text, done, total }) {
      const known = total > 0;
      this.progress.replaceChildren(make('progress', { max: known ? total : 1, ariaLabel: 'Build', ...(known && { value: done }) }), known ? `${text} (${done} of ${total})` : text);
      this.say('Building the programs.');
    }

    showSample({ sample }) {
      this.progress.textContent = `${sample.phase === 'quiet' ? 'The load is gone; waiting for the counts to rest' : 'Under load'}: ${grouped(sample.units_done)} done in ${(sample.elapsed_ms / 1000).toFixed(1)} s`;
      this.say('Running.');
    }

    showStalled({ side, seconds }) {
      this.say(`${side ? `${side}: no` : 'No'} unit of work has finished for ${seconds} s. Stop ends the run.`);
    }

    /** The next frame shows it. Readers who want no motion get the end state. */
    keepDrawing(drawing) {
      this.drawings.set(drawing.gauge, drawing);
      this.started = true;
      if (stillPlease.matches) this.chart.live || this.paint();
      else this.frame ??= requestAnimationFrame(() => this.paint());
    }

    paint() {
      this.frame = undefined;
      for (const drawing of this.drawings.values()) this.chart.draw(drawing);
      this.drawings.clear();
    }

    showVerdict({ ok, sides }) {
      const told = this.sides.filter(side => sides[side]);
      return this.judge(ok, ok ? '✓ As stated: each side did what it says of itself.' : '✗ Not as stated, or not certain.',
        told.map(side => make('li', {}, ...sideWords(side, sides[side]))));
    }

    judge(ok, text, items) {
      this.verdict.className = `wb-verdict ${ok ? 'wb-good' : 'wb-bad'}`;
      this.verdict.replaceChildren(make('p', { textContent: text }), ...(items.length ? [make('ul', {}, ...items)] : []));
      this.verdict.hidden = false;
      return '';
    }

    end(text) {
      cancelAnimationFrame(this.frame);
      this.paint();
      const focused = document.activeElement === this.stopButton;
      this.stopButton.hidden = this.progress.hidden = true;
      this.runButton.hidden = false;
      // What was refused or stopped before it began was no run.
      if (this.started) this.runButton.textContent = this.again;
      else this.holds = !this.abort.signal.aborted;
      this.backButton.hidden = !this.chart.live;
      this.say(text);
      if (focused) this.runButton.focus();
    }

    showRecorded() {
      this.chart.showRecorded();
      this.holds = false;
      this.verdict.hidden = this.backButton.hidden = true;
      this.say('The recorded run.');
      this.runButton.focus();
    }
  }

  /** Adds "Check mine" to the chart of an exercise: the reader's copy beside a solution. */
  class Check extends Live {
    get first() { return 'Check mine'; }

    get again() { return 'Check again'; }

    ask() { return fetch(`/api/check/${this.chart.exercise}`, { method: 'POST', signal: this.abort.signal }); }

    showVerdict({ outcome, faults, said }) {
      reader.show();
      if (outcome === 'passed') return this.judge(true, '✓ Passed: the work is done, and nothing stays.', []);
      if (outcome !== 'failed') return this.judge(false, '✗ This machine was too busy to tell: leave it alone for a moment, and check again.', []);
      const words = faults.map(({ sentence }) => make('li', { textContent: `${sentence[0].toUpperCase()}${sentence.slice(1)}.` }));
      if (said?.length) words.push(make('li', {}, 'It said:', make('pre', { tabIndex: 0 }, make('code', { textContent: said.join('\n') }))));
      return this.judge(false, '✗ Not yet.', words);
    }
  }

  /** What the reader has done of each exercise, as the terminal keeps it. */
  const reader = {
    places: [...document.querySelectorAll('.wb-reader')],
    async show() {
      if (!this.places.length) return;
      const response = await fetch('/api/progress', { cache: 'no-store' }).catch(() => null);
      const told = response?.ok ? await response.json().catch(() => null) : null;
      for (const place of this.places) place.textContent = told?.[place.dataset.exercise] ?? (told ? 'not begun' : '–');
    },
  };

  /** One side's verdict, as the terminal tells it: what it did, where the tasks left were spawned, what they wait for, who says so. */
  function sideWords(side, found) {
    const { text, program_tasks: left, console_tasks, dropped_events, spawned_at, spawned_there, waits_on, waiting_there, said } = found;
    const words = [make('strong', { textContent: side }), ` ${text}.`];
    if (spawned_at && left > 0) {
      words.push(make('br'), `${grouped(spawned_there)} of the ${grouped(left)} tasks left were spawned at `, make('code', { textContent: spawned_at }));
      words.push(waiting_there === undefined || waiting_there === spawned_there ? '; they wait on: ' : `; ${grouped(waiting_there)} of these wait on: `);
      words.push(`${waits_on ?? 'nothing the console can see (it sees locks, bounded sends, oneshots, intervals)'}.`);
    }
    words.push(make('br'), `Witnesses: program ${grouped(left)} tasks, console ${grouped(console_tasks)} tasks, ${grouped(dropped_events)} events lost.`);
    if (said?.length) words.push(make('br'), 'It said on its error output:', make('pre', { tabIndex: 0 }, make('code', { textContent: said.join('\n') })));
    return words;
  }

  async function refusal(response) {
    const answer = await response.json().catch(() => ({}));
    return answer.message ?? `the lab answered ${response.status}`;
  }

  /** The lines of a response while it arrives. */
  async function* lines(body) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = '';
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      const parts = (rest + value).split('\n');
      rest = parts.pop();
      yield* parts.filter(line => line.trim());
    }
    if (rest.trim()) yield rest;
  }

  /** The reader's place in a page, over a reload: how far down, which answers are open, what is chosen. */
  const place = {
    key: `wb-place ${location.pathname}`,
    all: what => [...document.querySelectorAll(`main ${what}`)],
    groups() { return Map.groupBy(this.all('input[type=radio]'), radio => radio.name); },
    keep() {
      const open = this.all('details').map(details => details.open);
      const chosen = [...this.groups().values()].map(group => group.find(radio => radio.checked)?.value);
      sessionStorage.setItem(this.key, JSON.stringify({ y: scrollY, open, chosen }));
    },
    restore() {
      const kept = JSON.parse(sessionStorage.getItem(this.key) ?? 'null');
      sessionStorage.removeItem(this.key);
      if (!kept) return;
      this.all('details').forEach((details, i) => { details.open = kept.open[i] ?? details.open; });
      [...this.groups().values()].forEach((group, i) => {
        const radio = group.find(radio => radio.value === kept.chosen[i]);
        if (radio) radio.checked = true;
      });
      scrollTo(0, kept.y);
    },
  };

  /** The page reloads when the lab has rebuilt the book, at the same place. One that holds a live run or its result does not: it says so. */
  class Reloads {
    constructor(holds) {
      this.holds = holds;
      this.note = make('div', { className: 'wb-rebuilt', role: 'status' });
      document.body.append(this.note);
      // What was built before this page came is what it shows.
      this.ask();
      document.addEventListener('visibilitychange', () => document.hidden || this.ask());
    }

    async ask() {
      clearTimeout(this.timer);
      const response = await fetch('/api/build', { cache: 'no-store' }).catch(() => null);
      const build = response?.ok ? (await response.json().catch(() => ({}))).build : undefined;
      this.shown ??= build;
      if (build !== undefined && build !== this.shown) this.rebuilt();
      clearTimeout(this.timer);
      if (!document.hidden || this.shown === undefined) this.timer = setTimeout(() => this.ask(), ASK_EVERY_MS);
    }

    rebuilt() {
      if (!this.holds()) return this.reload();
      if (this.note.hasChildNodes()) return;
      const button = make('button', { type: 'button', textContent: 'Reload to see it', onclick: () => this.reload() });
      this.note.append('The book was rebuilt. ', button);
    }

    reload() {
      place.keep();
      location.reload();
    }
  }

  async function askForLab(charts) {
    const response = await fetch('/api/lab').catch(() => null);
    const lab = response?.ok ? await response.json().catch(() => null) : null;
    if (!lab?.scenarios) return [];
    const checks = charts.filter(chart => lab.exercises?.includes(chart.exercise)).map(chart => new Check(chart, []));
    return charts.filter(chart => chart.scenario in lab.scenarios).map(chart => new Live(chart, lab.scenarios[chart.scenario])).concat(checks);
  }

  /** A page that may be read, and starts nothing. */
  function sayWhyNot(charts) {
    for (const { bar } of charts) bar?.append('Recorded: this server is for reading, and starts nothing. In a clone of your own, cargo lab runs it live.');
  }

  // The lab marks the pages it serves. The same page on any other host makes no request of its own.
  const served = document.querySelector('.wb-served');
  if (served) {
    const charts = [...document.querySelectorAll('.wb-chart:has(.wb-gauge)')].map(figure => new Chart(figure));
    let lives = [];
    place.restore();
    new Reloads(() => lives.some(live => live.holds));
    if (served.matches('.wb-reading')) sayWhyNot(charts);
    else {
      askForLab(charts).then(all => { lives = all; });
      reader.show();
    }
  }
})();

// Mends of mdBook 0.5.4.
(() => {
  // The keyboard cannot reach the sidebar's switch, the label of a hidden checkbox: make it a button.
  const label = document.getElementById('mdbook-sidebar-toggle');
  const box = document.getElementById('mdbook-sidebar-toggle-anchor');
  if (label && box) {
    const toggle = document.createElement('button');
    for (const { name, value } of label.attributes) if (name !== 'for') toggle.setAttribute(name, value);
    const tell = () => toggle.setAttribute('aria-expanded', box.checked);
    toggle.type = 'button';
    toggle.append(...label.childNodes);
    toggle.addEventListener('click', () => {
      label.click(); // mdBook listens there, and brings the sidebar back.
      box.click();
    });
    box.addEventListener('change', tell);
    tell();
    label.replaceWith(toggle);
  }
  document.getElementById('mdbook-menu-bar')?.setAttribute('role', 'banner');

  // What scrolls must take the focus, or the keyboard cannot scroll it.
  const reachable = () => {
    for (const box of document.querySelectorAll('pre > code, .table-wrapper')) {
      if (box.scrollWidth > box.clientWidth && !box.closest('[tabindex]')) box.tabIndex = 0;
    }
  };
  reachable();
  addEventListener('resize', reachable);

  // mdBook turns the page on ← and →; where these keys have a meaning of their own, they must keep it.
  document.addEventListener('keydown', event => {
    if (/^Arrow/.test(event.key) && event.target.closest?.('pre, .table-wrapper, select, input')) event.stopPropagation();
  }, true);

  // mdBook's copy button reads innerText, which doubles the line ends of block lines.
  for (const code of document.querySelectorAll('.wb-code code')) {
    const seen = line => line.offsetParent && !line.matches('.wb-pad, .wb-gap');
    const text = () => [...code.querySelectorAll('.wb-line')].filter(seen).map(line => line.textContent).join('');
    Object.defineProperty(code, 'innerText', { get: text });
  }
})();
