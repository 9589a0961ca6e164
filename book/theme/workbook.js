// The page's script: plots over the drawings, live runs where the lab serves the page, and mends of mdBook.
// Without it every page is complete: drawings, diffs and folded answers need no script.
'use strict';
(() => {
  const PLOT_HEIGHT = 280;
  const DASHES = { leak: undefined, fix: [8, 5], wrong: [2, 5], alt: [12, 4, 2, 4] };
  const stillPlease = matchMedia('(prefers-reduced-motion: reduce)');

  const kind = side => (side.startsWith('wrong') ? 'wrong' : side in DASHES ? side : 'alt');
  const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const grouped = n => (n == null ? '–' : (+n.toFixed(2)).toLocaleString('en-US'));

  function make(tag, properties, ...children) {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  }

  // A run, recorded or live: { sides: [{ side, ms: […], quiet, gauges: { name: […] } }] }.

  /** The columns uPlot wants: one list of seconds, and per side a value or null for each of them. */
  function columns(run, gauge) {
    return uPlot.join(run.sides.map(side => {
      const values = side.gauges[gauge] ?? [];
      return [side.ms.map(ms => ms / 1000), side.ms.map((_, i) => values[i] ?? null)];
    }));
  }

  /** What a plot shows, for those who do not see it. */
  function inWords(run, gauge, title) {
    const sides = run.sides.map(({ side, gauges }) => {
      const values = (gauges[gauge] ?? []).filter(value => value != null);
      if (!values.length) return `${side} has none`;
      const [first, last, peak] = [values[0], values.at(-1), Math.max(...values)];
      return `${side} from ${grouped(first)} to ${grouped(last)}${peak > Math.max(first, last) ? `, at most ${grouped(peak)}` : ''}`;
    });
    return `${title[0].toUpperCase()}${title.slice(1)}: ${sides.join('; ')}.`;
  }

  /** A plot of one gauge; made anew when the theme or the gauge changes, for uPlot keeps its colours. */
  class Plot {
    constructor(host) {
      this.host = host;
      new ResizeObserver(() => this.plot?.setSize({ width: host.clientWidth, height: PLOT_HEIGHT })).observe(host);
    }

    /** Draws a gauge of the run; the axes have room for the other run too, so that a live one grows into its place. */
    show(run, gauge, expected) {
      this.expected = { x: Math.max(1, ...expected.sides.map(side => (side.ms.at(-1) ?? 0) / 1000)),
                        y: Math.max(4, ...expected.sides.flatMap(side => side.gauges[gauge] ?? [])) };
      const names = run.sides.map(side => side.side).join();
      if (this.plot && this.gauge === gauge && this.names === names && this.theme === document.documentElement.className) {
        this.run = run;
        return this.plot.setData(columns(run, gauge));
      }
      Object.assign(this, { run, gauge, names, theme: document.documentElement.className });
      this.plot?.destroy();
      this.plot = new uPlot(this.options(run), columns(run, gauge), this.host);
    }

    options(run) {
      const text = css('--fg');
      const font = `12px ${css('--wb-sans')}`;
      const grid = { stroke: css('--wb-line'), width: 1 };
      const axis = { stroke: text, font, grid, ticks: { show: false } };
      const line = ({ side }) => ({
        label: side, stroke: css(`--wb-${kind(side)}`), width: 2.75, dash: DASHES[kind(side)],
        spanGaps: true, points: { show: false }, value: (_, value) => grouped(value),
      });
      return {
        width: this.host.clientWidth, height: PLOT_HEIGHT, padding: [22, 96, 0, 0],
        scales: {
          x: { time: false, range: (_, low, high) => [0, Math.max(high ?? 0, this.expected.x)] },
          y: { range: (_, low, high) => [0, 1.06 * Math.max(high ?? 0, this.expected.y)] },
        },
        axes: [
          { ...axis, size: 32, values: (_, ticks) => ticks.map(s => `${+s.toFixed(2)} s`) },
          { ...axis, size: 58, values: (_, ticks) => ticks.map(v => (Number.isInteger(v) ? grouped(v) : '')) },
        ],
        series: [{ label: 'time', value: (_, s) => (s == null ? '–' : `${s.toFixed(2)} s`) }, ...run.sides.map(line)],
        cursor: { drag: { x: false, y: false } },
        hooks: { drawClear: [plot => this.shadeLoad(plot)], draw: [plot => this.namePhases(plot), plot => this.labelEnds(plot)] },
      };
    }

    /** Where the load ends, on the canvas. */
    loadEnd(plot) {
      const ends = this.run.sides.map(side => side.quiet ?? side.ms.at(-1) ?? 0);
      return Math.min(plot.valToPos(Math.max(...ends) / 1000, 'x', true), plot.bbox.left + plot.bbox.width);
    }

    /** The time under load, behind everything. */
    shadeLoad(plot) {
      const { left, top, height } = plot.bbox;
      const right = this.loadEnd(plot);
      plot.ctx.save();
      plot.ctx.globalAlpha = 0.055;
      plot.ctx.fillStyle = css('--fg');
      plot.ctx.fillRect(left, top, Math.max(0, right - left), height);
      plot.ctx.restore();
    }

    /** "load" and "quiet" above their times, as in the drawing. */
    namePhases(plot) {
      const { ctx, bbox: { left, top, width } } = plot;
      const end = this.loadEnd(plot);
      ctx.save();
      ctx.font = `italic ${12 * devicePixelRatio}px ${css('--wb-sans')}`;
      Object.assign(ctx, { textBaseline: 'bottom', textAlign: 'center', fillStyle: css('--fg') });
      for (const [name, from, to] of [['load', left, end], ['quiet', end, left + width]]) {
        if (to - from > 36 * devicePixelRatio) ctx.fillText(name, (from + to) / 2, top - 4 * devicePixelRatio);
      }
      ctx.restore();
    }

    /** The side's name and last value at the end of its line: the legend alone says nothing without colour. */
    labelEnds(plot) {
      const ends = [];
      for (let i = 1; i < plot.data.length; i++) {
        const at = plot.data[i].findLastIndex(value => value != null);
        if (at < 0) continue;
        const [x, y] = [plot.valToPos(plot.data[0][at], 'x', true), plot.valToPos(plot.data[i][at], 'y', true)];
        ends.push({ x, y, text: `${plot.series[i].label} ${grouped(plot.data[i][at])}`, colour: plot.series[i].stroke(plot, i) });
      }
      ends.sort((a, b) => b.y - a.y);
      const { ctx } = plot;
      ctx.save();
      ctx.font = `700 ${13 * devicePixelRatio}px ${css('--wb-sans')}`;
      Object.assign(ctx, { textBaseline: 'middle', textAlign: 'left' });
      // Not on the axis, and not on each other.
      let below = plot.bbox.top + plot.bbox.height + 6 * devicePixelRatio;
      for (const end of ends) {
        below = Math.min(end.y, below - 16 * devicePixelRatio);
        // A rim, so that the grid does not run through the words.
        Object.assign(ctx, { strokeStyle: css('--bg'), lineWidth: 4 * devicePixelRatio, fillStyle: end.colour });
        ctx.strokeText(end.text, end.x + 7 * devicePixelRatio, below);
        ctx.fillText(end.text, end.x + 7 * devicePixelRatio, below);
      }
      ctx.restore();
    }
  }

  /** One chart of a chapter: the recorded run, and a live one in its place when there is a lab. */
  class Chart {
    constructor(figure) {
      this.figure = figure;
      this.scenario = figure.dataset.scenario;
      this.recorded = JSON.parse(figure.querySelector('script').textContent);
      this.titles = { ...this.recorded.titles };
      this.source = figure.querySelector('.wb-source');
      this.recordedSource = this.source.textContent;
      this.story = figure.querySelector('.wb-story');
      this.recordedStory = this.story.textContent;
      this.host = make('div', { className: 'wb-plot', role: 'img' });
      this.select = make('select', { onchange: () => this.draw() });
      this.bar = make('div', { className: 'wb-bar' }, make('label', {}, 'Gauge', this.select));
      figure.querySelector('svg').after(this.bar, this.host);
      figure.classList.add('wb-on');
      this.plot = new Plot(this.host);
      this.run = this.recorded;
      this.fillSelect(this.recorded.gauge);
      this.draw();
    }

    /** Offers every gauge of the run; the headline first. */
    fillSelect(chosen) {
      const seen = new Set(this.run.sides.flatMap(side => Object.keys(side.gauges)));
      const names = [this.recorded.gauge, ...[...seen].filter(name => name !== this.recorded.gauge)];
      if (names.length === this.select.length) return;
      const title = name => this.titles[name] ?? name.replaceAll('_', ' ');
      this.select.replaceChildren(...names.map(name => new Option(title(name), name, false, name === chosen)));
    }

    draw() {
      const gauge = this.select.value;
      const title = this.select.selectedOptions[0]?.textContent ?? gauge;
      this.plot.show(this.run, gauge, this.recorded);
      const asDrawn = this.run === this.recorded && gauge === this.recorded.gauge;
      this.story.textContent = asDrawn ? this.recordedStory : inWords(this.run, gauge, title);
      this.host.setAttribute('aria-label', this.story.textContent);
    }
  }

  /** Adds "Run both" to a chart. One run at a time for each chart; the server limits them all together. */
  class Live {
    constructor(chart, sides) {
      this.chart = chart;
      this.sides = chart.recorded.sides.map(side => side.side).filter(side => sides.includes(side));
      this.runButton = make('button', { type: 'button', className: 'wb-run', textContent: this.sides.length === 2 ? 'Run both' : 'Run all', onclick: () => this.start() });
      this.stopButton = make('button', { type: 'button', textContent: 'Stop', hidden: true, onclick: () => this.abort.abort() });
      this.backButton = make('button', { type: 'button', textContent: 'Show the recorded run', hidden: true, onclick: () => this.showRecorded() });
      this.progress = make('div', { className: 'wb-progress', hidden: true });
      this.status = make('p', { className: 'wb-status' });
      this.verdict = make('div', { className: 'wb-verdict', hidden: true });
      chart.bar.append(this.runButton, this.stopButton, this.backButton);
      chart.bar.after(this.progress);
      chart.host.after(make('div', { role: 'status' }, this.status, this.verdict));
      addEventListener('pagehide', () => this.abort?.abort());
    }

    get running() { return !this.stopButton.hidden; }

    async start() {
      this.begin();
      let text = 'The run ended without a verdict.';
      try {
        const response = await fetch(`/api/run/${this.chart.scenario}`, {
          method: 'POST', headers: { 'x-lab': '1', 'content-type': 'application/json' },
          body: JSON.stringify({ sides: this.sides }), signal: this.abort.signal,
        });
        if (!response.ok) {
          const answer = await response.json().catch(() => ({}));
          throw new Error(answer.message ?? `the lab answered ${response.status}`);
        }
        for await (const line of lines(response.body)) text = this.take(JSON.parse(line)) ?? text;
      } catch (error) {
        text = this.abort.signal.aborted ? 'Stopped.' : `The run failed: ${error.message}`;
      }
      this.end(text);
    }

    begin() {
      this.abort = new AbortController();
      this.live = { sides: this.sides.map(side => ({ side, ms: [], quiet: null, gauges: {} })) };
      this.samples = 0;
      this.runButton.hidden = this.backButton.hidden = this.verdict.hidden = true;
      this.stopButton.hidden = this.progress.hidden = false;
      this.progress.textContent = 'Asking the lab…';
      this.status.textContent = 'Preparing the run.';
      this.stopButton.focus();
    }

    /** Takes one event; returns the last word when it is one. */
    take(event) {
      if (event.event === 'build') this.showBuild(event);
      if (event.event === 'sample') this.addSample(event);
      if (event.event === 'verdict') return this.showVerdict(event);
      if (event.event === 'error') throw new Error(event.message);
    }

    showBuild({ text, done, total }) {
      const known = total > 0;
      this.progress.replaceChildren(make('progress', { max: known ? total : 1, ariaLabel: 'Build', ...(known && { value: done }) }), known ? `${text} (${done} of ${total})` : text);
      // Once for those who listen; the numbers go on for those who look.
      if (this.status.textContent !== 'Building the programs.') this.status.textContent = 'Building the programs.';
    }

    addSample({ side, sample, console_tasks }) {
      const record = this.live.sides.find(known => known.side === side);
      if (!record) return;
      const at = record.ms.push(sample.elapsed_ms) - 1;
      if (sample.phase === 'quiet') record.quiet ??= sample.elapsed_ms;
      for (const [name, value] of Object.entries({ ...sample.gauges, console_tasks })) {
        (record.gauges[name] ??= [])[at] = value;
      }
      this.progress.textContent = `${sample.phase === 'quiet' ? 'The load is gone; waiting for the counts to rest' : 'Under load'}: ${sample.units_done.toLocaleString('en-US')} done in ${(sample.elapsed_ms / 1000).toFixed(1)} s`;
      if (this.samples++ === 0) this.firstSample();
      // Readers who want no motion get the end state.
      if (!stillPlease.matches) this.frame ??= requestAnimationFrame(() => this.paint());
    }

    firstSample() {
      this.status.textContent = 'Running.';
      this.chart.run = this.live;
      this.chart.source.textContent = 'A live run on this machine.';
    }

    paint() {
      this.frame = undefined;
      if (!this.samples || this.chart.run !== this.live) return;
      this.chart.fillSelect(this.chart.select.value);
      this.chart.draw();
    }

    showVerdict({ text, ok, sides }) {
      const items = Object.entries(sides ?? {}).map(([side, found]) => make('li', {}, make('strong', { textContent: `${side}: ` }), this.sideText(found)));
      this.verdict.className = `wb-verdict ${ok ? 'wb-good' : 'wb-bad'}`;
      this.verdict.replaceChildren(make('p', { textContent: `${ok ? '✓' : '✗'} ${text}` }), make('ul', {}, ...items));
      this.verdict.hidden = false;
      return 'Done.';
    }

    sideText({ text, survivors, console_tasks, program_tasks, dropped_events }) {
      const parts = [text];
      if (survivors != null) parts.push(`${grouped(survivors)} left per ${this.chart.recorded.unit}`);
      if (console_tasks != null) parts.push(`the console counts ${grouped(console_tasks)} tasks, the program ${grouped(program_tasks)}`);
      if (dropped_events > 0) parts.push(`the console lost ${grouped(dropped_events)} events`);
      return parts.filter(Boolean).join('; ').replace(/\.?;/g, ';');
    }

    end(text) {
      this.paint();
      const focused = document.activeElement === this.stopButton;
      this.stopButton.hidden = this.progress.hidden = true;
      this.runButton.hidden = false;
      this.runButton.textContent = 'Run again';
      this.backButton.hidden = this.chart.run === this.chart.recorded;
      this.status.textContent = text;
      if (focused) this.runButton.focus();
      document.dispatchEvent(new Event('wb-idle'));
    }

    showRecorded() {
      this.chart.run = this.chart.recorded;
      this.chart.source.textContent = this.chart.recordedSource;
      this.chart.fillSelect(this.chart.select.value);
      this.chart.draw();
      this.verdict.hidden = this.backButton.hidden = true;
      this.status.textContent = 'The recorded run.';
      this.runButton.focus();
    }
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

  /** The page reloads when the lab has rebuilt the book, at the same place, and not in the middle of a run. */
  function reloadOnChange(lives) {
    const KEY = 'wb-scroll';
    const place = JSON.parse(sessionStorage.getItem(KEY) ?? 'null');
    sessionStorage.removeItem(KEY);
    if (place?.page === location.pathname) scrollTo(0, place.y);
    const reload = () => {
      if (lives.some(live => live.running)) return document.addEventListener('wb-idle', reload, { once: true });
      sessionStorage.setItem(KEY, JSON.stringify({ page: location.pathname, y: scrollY }));
      location.reload();
    };
    new EventSource('/api/reload').addEventListener('reload', reload);
  }

  async function askForLab(charts) {
    const response = await fetch('/api/lab').catch(() => null);
    const lab = response?.ok ? await response.json().catch(() => null) : null;
    if (!lab?.scenarios) return;
    const served = charts.filter(chart => chart.scenario in lab.scenarios);
    reloadOnChange(served.map(chart => new Live(chart, lab.scenarios[chart.scenario])));
  }

  const charts = window.uPlot ? [...document.querySelectorAll('.wb-chart')].map(figure => new Chart(figure)) : [];
  new MutationObserver(() => charts.forEach(chart => chart.draw())).observe(document.documentElement, { attributeFilter: ['class'] });
  // The lab marks the pages it serves. The same page on any other host makes no request of its own.
  if (document.querySelector('.wb-served')) askForLab(charts);
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
    const seen = line => line.offsetParent && !line.classList.contains('wb-pad');
    const text = () => [...code.querySelectorAll('.wb-line')].filter(seen).map(line => line.textContent).join('');
    Object.defineProperty(code, 'innerText', { get: text });
  }
})();
