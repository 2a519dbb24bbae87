/**
 * Runs in the browser: shows what the program tells (server-sent events) and sends what the person sets. Plain JavaScript,
 * inlined after uPlot; everything it shows goes in as text.
 */
export const WATCH_SCRIPT = `
(() => {
  'use strict';
  const byId = (id) => document.getElementById(id);
  const setup = JSON.parse(byId('setup').textContent);
  const SVG = 'http://www.w3.org/2000/svg';
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim();
  const policies = new Map(setup.policies.map((one) => [one.name, one]));
  const nothing = '\\u2013';

  let state = null;
  let world = null;
  let chunks = [];
  let plan = null;
  let planBefore = null;

  // ---- telling the program ------------------------------------------------------------------------------------------

  const ask = async (request) => {
    try {
      const response = await fetch('control', {
        method: 'POST',
        headers: { 'content-type': 'application/json', [setup.tokenHeader]: setup.token },
        body: JSON.stringify(request),
      });
      return response.ok ? '' : await response.text();
    } catch {
      return 'fastwam watch does not answer; is it still running?';
    }
  };

  const say = (element, sentence) => {
    element.textContent = sentence;
    element.hidden = sentence === '';
  };

  /** Sends the newest of many changes, one request at a time. */
  const sender = (make, refusal, after) => {
    let busy = false;
    let again = false;
    const send = async () => {
      if (busy) { again = true; return; }
      busy = true;
      do {
        again = false;
        const sentence = await ask(make());
        say(refusal, sentence);
        after(sentence);
      } while (again);
      busy = false;
    };
    return { send, get busy() { return busy; } };
  };

  const command = async (request) => {
    const sentence = await ask(request);
    if (sentence !== '') say(byId('problem'), sentence);
  };

  // ---- settings -----------------------------------------------------------------------------------------------------

  /** What the controls show; the program has the last word on what is in use. */
  let draft = { policy: 'none', values: {}, noise: 'fixed' };
  let refused = false;

  const settingsSender = sender(
    () => ({ do: 'settings', ...draft }),
    byId('settings-refusal'),
    (sentence) => {
      refused = sentence !== '';
      const row = byId('range-row');
      for (const one of row.children) one.classList.toggle('invalid', refused && sentence.startsWith('range'));
    },
  );

  const fieldsOf = (policy) => policies.get(policy)?.fields ?? [];
  const fieldOf = (name) => fieldsOf(draft.policy).find((field) => field.name === name);
  const valueOf = (name) => draft.values[name] ?? fieldOf(name)?.default ?? '';

  const set = (name, value) => {
    const values = { ...draft.values, [name]: value };
    if (value === '') delete values[name];
    // Settings of a policy that takes over the tail belong to it alone.
    const named = new Set(Object.values(values));
    for (const one of Object.keys(values)) if (one.includes('.') && !named.has(one.split('.')[0])) delete values[one];
    draft = { ...draft, values };
    showSettings();
    void settingsSender.send();
  };

  const refreshHint = (policy, R) => {
    if (R === 1) return 'every chunk is computed in full';
    const nth = R + (R === 2 ? 'nd' : R === 3 ? 'rd' : 'th') + ' chunk';
    if (policy === 'adaptive') return R === 0 ? 'refreshes only when it decides to' : 'refreshes in every ' + nth + ' at the latest';
    return R === 0 ? 'only the first chunk of an episode is computed in full' : 'every ' + nth + ' is computed in full';
  };

  const showSettings = () => {
    const { policy } = draft;
    byId('policy').value = policy;
    byId('policy-title').textContent = policies.get(policy)?.title ?? '';
    byId('noise').value = draft.noise;
    const hasRefresh = fieldOf('refresh_interval') !== undefined;
    byId('refresh-row').hidden = !hasRefresh;
    byId('refresh-hint').hidden = !hasRefresh;
    if (hasRefresh) {
      const R = Number(valueOf('refresh_interval'));
      byId('refresh').value = String(Math.min(R, setup.largestSliderRefresh));
      if (document.activeElement !== byId('refresh-value')) byId('refresh-value').value = String(R);
      byId('refresh-hint').textContent = refreshHint(policy, R);
    }
    const hasRange = fieldOf('range') !== undefined;
    byId('range-row').hidden = !hasRange;
    if (hasRange) {
      const [start, end] = valueOf('range').split(':');
      byId('start').value = start;
      byId('end').value = end;
      byId('start-value').textContent = 'step ' + start;
      byId('end-value').textContent = 'step ' + end;
    }
    for (const input of byId('fields').querySelectorAll('[data-field]')) {
      if (document.activeElement !== input) input.value = input.tagName === 'SELECT' ? valueOf(input.dataset.field) : (draft.values[input.dataset.field] ?? '');
    }
  };

  /** Inputs for the settings that have no slider. */
  let builtFor = '';
  const buildFields = () => {
    if (builtFor === draft.policy) return;
    builtFor = draft.policy;
    const rest = fieldsOf(draft.policy).filter(({ name }) => name !== 'refresh_interval' && name !== 'range');
    byId('fields').replaceChildren(
      ...rest.map((field) => {
        const label = document.createElement('label');
        label.className = 'row';
        label.title = field.description + (field.unit ? ' [' + field.unit + ']' : '');
        const name = document.createElement('span');
        name.textContent = field.name;
        const choices = field.type === 'boolean' ? ['true', 'false'] : field.values;
        const input = document.createElement(choices.length > 0 ? 'select' : 'input');
        for (const choice of choices) input.append(new Option(choice, choice));
        if (choices.length === 0) {
          input.type = 'text';
          input.placeholder = field.default;
        }
        input.dataset.field = field.name;
        input.addEventListener('change', () => set(field.name, input.value.trim()));
        label.append(name, input);
        return label;
      }),
    );
  };

  byId('policy').addEventListener('change', () => {
    const policy = byId('policy').value;
    const kept = {};
    // R and range mean the same to the policies that have both.
    const names = new Set(fieldsOf(policy).map(({ name }) => name));
    if (names.has('range')) for (const name of ['refresh_interval', 'range']) if (draft.values[name] !== undefined) kept[name] = draft.values[name];
    draft = { ...draft, policy, values: kept };
    buildFields();
    showSettings();
    void settingsSender.send();
  });
  byId('refresh').addEventListener('input', () => set('refresh_interval', byId('refresh').value));
  byId('refresh-value').addEventListener('change', () => set('refresh_interval', byId('refresh-value').value));
  for (const id of ['start', 'end']) byId(id).addEventListener('input', () => set('range', byId('start').value + ':' + byId('end').value));
  byId('noise').addEventListener('change', () => {
    draft = { ...draft, noise: byId('noise').value };
    void settingsSender.send();
  });

  const worldSender = sender(
    () => ({
      do: 'world',
      suite: byId('world-suite').value,
      speed: byId('world-speed').value,
      condition: byId('world-condition').value,
      seed: byId('world-seed').value.trim() === '' ? null : Number(byId('world-seed').value),
    }),
    byId('world-refusal'),
    () => undefined,
  );
  for (const id of ['world-suite', 'world-speed', 'world-condition', 'world-seed']) byId(id).addEventListener('change', () => void worldSender.send());
  byId('controls').addEventListener('submit', (event) => event.preventDefault());

  const toggleRun = () => void command({ do: state?.paused ? 'resume' : 'pause' });
  byId('run').addEventListener('click', toggleRun);
  for (const button of document.querySelectorAll('[data-do]')) button.addEventListener('click', () => void command({ do: button.dataset.do }));
  byId('pace').addEventListener('change', () => void command({ do: 'pace', pace: Number(byId('pace').value) }));
  document.addEventListener('keydown', (event) => {
    if (event.target.closest('input, select, button, summary') || event.ctrlKey || event.metaKey || event.altKey) return;
    const what = { s: 'step', c: 'chunk', n: 'next' }[event.key];
    if (event.key === ' ') toggleRun();
    else if (what) void command({ do: what });
    else return;
    event.preventDefault();
  });

  // ---- pictures -----------------------------------------------------------------------------------------------------

  const rgb = (index) => 'rgb(' + setup.palette.slice(3 * index, 3 * index + 3).join(',') + ')';
  const FIRST_PLATE = 2;
  const FIRST_BLOCK = 5;

  const drawCameras = () => {
    const size = setup.cameraSize;
    const bytes = atob(world.frame);
    ['front', 'wrist'].forEach((name, camera) => {
      const context = byId('camera-' + name).getContext('2d');
      const image = context.createImageData(size, size);
      for (let y = 0; y < size; y++) {
        for (let x = 0; x < size; x++) {
          const from = 3 * bytes.charCodeAt(y * setup.frameWidth + camera * size + x);
          const to = 4 * (y * size + x);
          for (let c = 0; c < 3; c++) image.data[to + c] = setup.palette[from + c];
          image.data[to + 3] = 255;
        }
      }
      context.putImageData(image, 0, 0);
    });
  };

  /** Where the chunk leads, and where it opens or closes the gripper. */
  const plannedWay = () => {
    const step = setup.speeds[state.choice.speed];
    const [dx, dy, grip] = plan.actions;
    let [x, y] = plan.from;
    const way = [{ x, y }];
    dx.forEach((_, i) => {
      x = Math.min(0.97, Math.max(0.03, x + Math.min(1, Math.max(-1, dx[i])) * step));
      y = Math.min(0.97, Math.max(0.03, y + Math.min(1, Math.max(-1, dy[i])) * step));
      const turns = i > 0 && grip[i] > 0 !== grip[i - 1] > 0;
      way.push({ x, y, turns: turns ? (grip[i] > 0 ? 'opens' : 'closes') : '' });
    });
    return way;
  };

  const drawTable = () => {
    const canvas = byId('table');
    const size = Math.max(1, Math.round(canvas.clientWidth * devicePixelRatio));
    if (canvas.width !== size) canvas.width = canvas.height = size;
    const c = canvas.getContext('2d');
    c.setTransform(size, 0, 0, size, 0, 0);
    c.fillStyle = rgb(0);
    c.fillRect(0, 0, 1, 1);
    const edge = 'rgba(0, 0, 0, 0.25)';
    const [block, plate] = state.pairs[world.pair] ?? [-1, -1];
    const ring = (x, y, r) => {
      c.strokeStyle = '#0b4f7c';
      c.lineWidth = 0.006;
      c.setLineDash([0.02, 0.015]);
      c.beginPath();
      c.arc(x, y, r, 0, 2 * Math.PI);
      c.stroke();
      c.setLineDash([]);
    };
    c.lineWidth = 0.003;
    world.plates.forEach((one, slot) => {
      if (one.colour < 0) return;
      c.beginPath();
      c.arc(one.x, one.y, setup.geometry.plate, 0, 2 * Math.PI);
      c.fillStyle = rgb(FIRST_PLATE + one.colour);
      c.fill();
      c.strokeStyle = edge;
      c.stroke();
      if (slot === plate) ring(one.x, one.y, setup.geometry.plate + 0.014);
    });
    const half = setup.geometry.block;
    const drawBlock = (one) => {
      c.fillStyle = rgb(FIRST_BLOCK + one.colour);
      c.fillRect(one.x - half, one.y - half, 2 * half, 2 * half);
      c.strokeStyle = edge;
      c.lineWidth = 0.003;
      c.strokeRect(one.x - half, one.y - half, 2 * half, 2 * half);
    };
    world.blocks.forEach((one, slot) => {
      if (one.colour < 0 || slot === world.held) return;
      drawBlock(one);
      if (slot === block) ring(one.x, one.y, half * 1.414 + 0.012);
    });
    if (world.held >= 0) drawBlock(world.blocks[world.held]);
    if (plan) {
      const way = plannedWay();
      const line = (from, to, width, dash, style) => {
        if (to <= from) return;
        c.beginPath();
        way.slice(from, to + 1).forEach(({ x, y }, i) => (i === 0 ? c.moveTo(x, y) : c.lineTo(x, y)));
        c.strokeStyle = style;
        c.lineWidth = width;
        c.setLineDash(dash);
        c.stroke();
        c.setLineDash([]);
      };
      c.lineJoin = c.lineCap = 'round';
      line(setup.replanSteps, way.length - 1, 0.005, [0.001, 0.014], 'rgba(11, 79, 124, 0.75)');
      line(0, setup.replanSteps, 0.009, [], 'rgba(11, 79, 124, 0.5)');
      line(0, Math.min(world.sinceChunk, setup.replanSteps), 0.011, [], '#0b4f7c');
      for (const { x, y, turns } of way) {
        if (!turns) continue;
        c.beginPath();
        c.arc(x, y, 0.014, 0, 2 * Math.PI);
        c.fillStyle = turns === 'closes' ? '#0b4f7c' : '#ffffff';
        c.strokeStyle = '#0b4f7c';
        c.lineWidth = 0.005;
        c.fill();
        c.stroke();
      }
    }
    const { fingers } = setup.geometry;
    const [gx, gy] = world.gripper;
    c.fillStyle = rgb(9);
    for (const side of [-1, 1]) {
      const x = gx + side * (fingers.offset + fingers.travel * world.opening);
      c.fillRect(x - fingers.halfWidth, gy - fingers.halfHeight, 2 * fingers.halfWidth, 2 * fingers.halfHeight);
    }
  };

  // ---- the chunk's curves -------------------------------------------------------------------------------------------

  let charts = [];
  const steps = Array.from({ length: setup.horizon }, (_, i) => i);

  const curveData = (column) => {
    const own = plan ? plan.actions[column] : steps.map(() => null);
    const before = planBefore?.actions[column];
    return [
      steps,
      steps.map((i) => before?.[i + setup.replanSteps] ?? null),
      own,
      own.map((value, i) => (i < setup.replanSteps ? value : null)),
    ];
  };

  const shade = (u) => {
    const { left, top, width, height } = u.bbox;
    const right = Math.min(left + width, u.valToPos(setup.replanSteps - 0.5, 'x', true));
    u.ctx.save();
    u.ctx.fillStyle = colour('accent-soft');
    u.ctx.fillRect(left, top, right - left, height);
    u.ctx.restore();
  };

  const cursor = (u) => {
    if (!world || !plan) return;
    const { top, height } = u.bbox;
    const x = Math.round(u.valToPos(Math.min(world.sinceChunk, setup.horizon - 1), 'x', true)) + 0.5;
    u.ctx.save();
    u.ctx.strokeStyle = colour('warn');
    u.ctx.lineWidth = 1.5 * devicePixelRatio;
    u.ctx.beginPath();
    u.ctx.moveTo(x, top);
    u.ctx.lineTo(x, top + height);
    u.ctx.stroke();
    u.ctx.restore();
  };

  const readout = (u) => {
    const at = u.cursor.idx;
    u.readout.textContent = at == null || u.data[2][at] == null ? '' : 'action ' + at + ': ' + u.data[2][at].toFixed(3);
  };

  const buildCharts = () => {
    for (const one of charts) one.destroy();
    const font = '11.5px ' + getComputedStyle(document.body).fontFamily;
    charts = [...document.querySelectorAll('.curve')].map((box, column) => {
      const axes = { stroke: colour('muted'), font, grid: { stroke: colour('grid'), width: 1 }, ticks: { show: false } };
      const target = box.querySelector('.plotted');
      target.textContent = '';
      const u = new uPlot(
        {
          width: target.clientWidth,
          height: 150,
          legend: { show: false },
          cursor: { sync: { key: 'actions' }, points: { size: 6 }, drag: { x: false, y: false } },
          scales: { x: { time: false, range: [-0.5, setup.horizon - 0.5] }, y: { range: (_, min, max) => [Math.min(-1.1, min), Math.max(1.1, max)] } },
          axes: [{ ...axes, size: 24 }, { ...axes, size: 38, space: 28 }],
          series: [
            {},
            { stroke: colour('recorded'), width: 2.5, points: { show: false } },
            { stroke: colour('accent'), width: 1.3, dash: [4, 3], points: { show: false } },
            { stroke: colour('accent'), width: 2.4, points: { show: false } },
          ],
          hooks: { drawClear: [shade], draw: [cursor], setCursor: [readout] },
        },
        curveData(column),
        target,
      );
      u.readout = box.querySelector('.readout');
      return u;
    });
  };

  // ---- the timeline -------------------------------------------------------------------------------------------------

  const WIDTH = 1080;
  const LEFT = 58;
  const TOP = 18;
  const STEP = 8;
  const BARS = 46;
  const strip = setup.denoisingSteps * STEP;
  const barsTop = TOP + strip + 8;
  const HEIGHT = barsTop + BARS + 18;
  const cell = (WIDTH - LEFT) / setup.timeline;
  const STATES = ['refresh', 'computed', 'part3', 'part2', 'part1', 'reused'];

  const element = (name, attributes, ...children) => {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  };

  const words = (one) =>
    one.refreshed
      ? 'refresh: ' + one.reason.replaceAll('_', ' ')
      : one.steps.includes('reused') || one.steps.some((step) => step.startsWith('part'))
        ? 're-used'
        : 'in full, not stored';

  const stagesOf = ({ times }) => {
    const image = times.decode + times.vae;
    return [
      ['vae', image],
      ['prefill', times.prefill],
      ['expert', times.expert],
      ['other', Math.max(0, times.total - image - times.prefill - times.expert)],
    ];
  };

  const runs = (states) => {
    const found = [];
    states.forEach((state, k) => {
      const last = found.at(-1);
      if (last && last.state === state) last.end = k + 1;
      else found.push({ state, start: k, end: k + 1 });
    });
    return found;
  };

  const drawTimeline = () => {
    const svg = byId('timeline');
    svg.setAttribute('viewBox', '0 0 ' + WIDTH + ' ' + HEIGHT);
    const longest = Math.max(1, ...chunks.map(({ times }) => times.total));
    const parts = [
      element('text', { class: 'tick end', x: LEFT - 6, y: TOP + 8 }, 'step 0'),
      element('text', { class: 'tick end', x: LEFT - 6, y: TOP + strip }, String(setup.denoisingSteps - 1)),
      element('text', { class: 'tick end', x: LEFT - 6, y: barsTop + 9 }, longest.toFixed(0) + ' ms'),
      element('path', { class: 'axis', d: 'M' + LEFT + ' ' + (barsTop + BARS) + 'H' + WIDTH }),
    ];
    const changes = chunks.flatMap((one, i) => (i === 0 || chunks[i - 1].configuration !== one.configuration ? [i] : []));
    let labelled = -Infinity;
    chunks.forEach((one, i) => {
      const x = LEFT + i * cell;
      const column = element('g', { class: 'column' });
      column.append(
        element('title', {}, 'chunk ' + one.chunk + ' of episode ' + one.episode + ', ' + one.configuration + '\\n' + words(one) + '\\n' + one.stacks + ' stacks, ' + one.times.total + ' ms (expert ' + one.times.expert + ')'),
        element('rect', { class: 'hit', x, y: TOP, width: cell, height: HEIGHT - TOP }),
      );
      for (const { state, start, end } of runs(one.steps)) {
        column.append(element('rect', { class: 'cell-' + state, x, y: TOP + start * STEP, width: cell - 1.5, height: (end - start) * STEP - 0.7 }));
      }
      let y = barsTop + BARS;
      for (const [stage, milliseconds] of stagesOf(one)) {
        const height = (BARS * milliseconds) / longest;
        y -= height;
        column.append(element('rect', { class: 'stage-' + stage, x, y, width: cell - 1.5, height }));
      }
      parts.push(column);
      const begins = i > 0 && chunks[i - 1].episode !== one.episode;
      if (begins) parts.push(element('path', { class: 'episode', d: 'M' + (x - 0.75) + ' ' + (TOP - 3) + 'V' + (barsTop + BARS) }));
      if ((begins || i === 0 || one.chunk % 10 === 0) && x - labelled > 26) {
        labelled = x;
        parts.push(element('text', { class: 'tick', x, y: HEIGHT - 4 }, (i === 0 ? 'chunk ' : '') + one.chunk));
        if (i === 0) labelled += 30;
      }
    });
    changes.forEach((i, n) => {
      const x = LEFT + i * cell;
      const room = ((changes[n + 1] ?? setup.timeline) - i) * cell;
      const name = chunks[i].configuration;
      if (n > 0) parts.push(element('path', { class: 'change', d: 'M' + (x - 0.75) + ' 2V' + (TOP + strip) }));
      if (room > 6.1 * name.length || n === changes.length - 1) {
        const end = x + 6.1 * name.length > WIDTH;
        parts.push(element('text', { class: 'setting' + (end ? ' end' : ''), x: end ? WIDTH : x + (n > 0 ? 3 : 0), y: 11 }, name));
      }
    });
    svg.replaceChildren(...parts);
    // In a narrow window the newest chunk stays in sight.
    const box = byId('timeline-box');
    const newest = ((LEFT + chunks.length * cell) * svg.getBoundingClientRect().width) / WIDTH;
    box.scrollLeft = Math.max(0, newest - box.clientWidth);
  };

  const SHOWN_CHUNKS = 8;
  const stepsPicture = (one) => {
    const width = 92 / one.steps.length;
    return element(
      'svg',
      { viewBox: '0 0 92 12', role: 'img', 'aria-label': one.steps.join(' ') },
      ...one.steps.map((state, k) => element('rect', { class: 'cell-' + state, x: k * width, y: 0, width: width - 1, height: 12 })),
    );
  };

  const fill = (table, rows, left) => {
    table.tBodies[0].replaceChildren(
      ...rows.map((cells) => {
        const row = document.createElement('tr');
        cells.forEach((content, i) => {
          const made = row.insertCell();
          made.className = i < left ? 'left' : 'right';
          made.append(content);
        });
        return row;
      }),
    );
  };

  const drawChunks = () =>
    fill(
      byId('chunks'),
      chunks
        .slice(-SHOWN_CHUNKS)
        .reverse()
        .map((one) => [
          one.episode + '.' + one.chunk,
          one.configuration,
          words(one),
          stepsPicture(one),
          one.stacks.toFixed(2),
          (one.times.decode + one.times.vae).toFixed(1),
          one.times.prefill.toFixed(1),
          one.times.expert.toFixed(1),
          one.times.total.toFixed(1),
        ]),
      4,
    );

  // ---- figures ------------------------------------------------------------------------------------------------------

  const drawFigures = () => {
    const row = state.tally.find((one) => one.configuration === state.configuration && one.world === state.worldName);
    byId('tile-success').textContent = row ? row.successes + ' of ' + row.episodes : nothing;
    byId('tile-success-note').textContent = row ? row.success + ' %' : 'no episode yet';
    const last = chunks.at(-1);
    byId('tile-stacks').textContent = last ? last.stacks.toFixed(last.stacks % 1 ? 2 : 0) : nothing;
    byId('tile-stacks-note').textContent = last ? words(last) : 'of ' + setup.denoisingSteps + ' without a cache';
    byId('tile-time').textContent = last ? last.times.total.toFixed(1) + ' ms' : nothing;
    byId('tile-time-note').textContent = last ? 'expert ' + last.times.expert.toFixed(1) + ' ms' : '\\u00a0';
    const end = state.lastEpisode;
    byId('tile-episode-note').textContent = end
      ? 'before: ' + (end.success ? 'solved' : 'failed') + ' after ' + end.steps + ' steps'
      : 'limit ' + state.stepLimit + ' steps';
    fill(
      byId('tally'),
      state.tally.map((one) => [
        one.configuration,
        one.world,
        one.successes + ' of ' + one.episodes,
        one.success,
        one.chunksPerEpisode.toFixed(1),
        one.stacksPerChunk.toFixed(2),
        one.stacksPerEpisode.toFixed(1),
        one.millisecondsPerChunk.toFixed(1),
      ]),
      2,
    );
  };

  const drawStep = () => {
    byId('tile-step').textContent = world ? 'step ' + world.step : nothing;
  };

  const drawControls = () => {
    byId('run').textContent = state.paused ? 'Resume' : 'Pause';
    byId('pace').value = String(state.pace);
    byId('suite').textContent = state.suite === '' ? '' : 'suite ' + state.suite + ':';
    byId('instruction').textContent = state.instruction;
    byId('instruction').hidden = state.instruction === '';
    byId('configuration').textContent = state.configuration;
    say(byId('settings-warning'), state.warning);
    say(byId('problem'), state.problem);
    const { suite, speed, condition, seed } = state.choice;
    if (!worldSender.busy) {
      byId('world-suite').value = suite;
      byId('world-speed').value = speed;
      byId('world-condition').value = condition;
      if (document.activeElement !== byId('world-seed')) byId('world-seed').value = String(seed);
    }
    if (!settingsSender.busy && !refused) {
      draft = state.settings;
      buildFields();
      showSettings();
    }
  };

  // ---- once for each picture of the screen --------------------------------------------------------------------------

  const stale = new Set();
  const draw = () => {
    const now = new Set(stale);
    stale.clear();
    if (!state) return;
    if (now.has('state')) drawControls();
    if (now.has('state') || now.has('chunk')) {
      drawTimeline();
      drawChunks();
      drawFigures();
      charts.forEach((u, column) => u.setData(curveData(column)));
    }
    if (!world) return;
    drawStep();
    drawCameras();
    drawTable();
    for (const u of charts) u.redraw(false);
  };
  const changed = (what) => {
    if (stale.size === 0) requestAnimationFrame(draw);
    stale.add(what);
  };

  // ---- being told ---------------------------------------------------------------------------------------------------

  let source = null;
  const disconnect = () => {
    source?.close();
    source = null;
  };
  const connect = () => {
    if (source) return;
    source = new EventSource('events');
    source.addEventListener('snapshot', ({ data }) => {
      state = JSON.parse(data);
      ({ chunks, plan, planBefore, world } = state);
      changed('state');
    });
    source.addEventListener('chunk', ({ data }) => {
      const message = JSON.parse(data);
      chunks = [...chunks, message.chunk].slice(-setup.timeline);
      [planBefore, plan] = [message.chunk.chunk === 0 ? null : plan, message.plan];
      if (world) world = { ...world, sinceChunk: 0 };
      changed('chunk');
    });
    source.addEventListener('world', ({ data }) => {
      world = JSON.parse(data);
      changed('world');
    });
    source.addEventListener('error', () => say(byId('problem'), 'fastwam watch does not answer; is it still running?'));
    source.addEventListener('open', () => say(byId('problem'), ''));
  };
  // A page out of sight needs no pictures; and a browser has few connections for one address.
  const look = () => (document.hidden ? disconnect() : connect());
  document.addEventListener('visibilitychange', look);
  addEventListener('pagehide', disconnect);
  addEventListener('pageshow', look);

  document.documentElement.classList.add('script');
  buildCharts();
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
    buildCharts();
    changed('world');
  });
  addEventListener('resize', () => {
    for (const u of charts) u.setSize({ width: u.root.parentElement.clientWidth, height: 150 });
    changed('world');
  });
  look();
})();
`;
