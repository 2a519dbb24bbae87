import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { evaluate } from '../../src/evaluation/evaluate';
import { escaped, jsonForScript, markup } from '../../src/report/Markup';
import { metricsJson } from '../../src/report/metricsJson';
import { axis } from '../../src/report/plots/axis';
import { stepStates } from '../../src/report/plots/stepStates';
import { linePath, peaksKept } from '../../src/report/plots/lines';
import { motionOf } from '../../src/report/plots/motion';
import { seriesStyles } from '../../src/report/plots/seriesStyle';
import { reportPage } from '../../src/report/reportPage';
import {
  cachedConfiguration,
  chunkOf,
  fakeEvaluation,
  fakeProvenance,
  UNCACHED,
  type FakeOptions,
} from '../evaluation/fakeEvaluation';

const fifteen = [
  UNCACHED,
  ...[0, 2, 4, 8, 16].flatMap((refresh) => [5, 6, 7].map((end) => cachedConfiguration(refresh, end))),
].slice(0, 15);

function pageOf(options: FakeOptions, provenance = fakeProvenance()): string {
  const evaluation = fakeEvaluation(options);
  return reportPage(evaluation, evaluate(evaluation), provenance);
}

describe('the report page', () => {
  const evaluation = fakeEvaluation({
    robot: 'arm',
    chunks: 12,
    configurations: [UNCACHED, cachedConfiguration(4, 6)],
  });
  const page = reportPage(evaluation, evaluate(evaluation), fakeProvenance());

  it('asks for nothing from anywhere', () => {
    // the names of the SVG namespace and of licences may appear in the inlined script as text
    const withoutScripts = page.replace(/<script[\s\S]*?<\/script>/g, '');
    // its own fragments and pictures that it carries
    expect(withoutScripts).not.toMatch(/\bsrc=|\bhref="(?!#|data:image\/jpeg;base64,)/);
    expect(page).not.toMatch(/@import|url\(/);
  });

  it('allows only its own script and style, by their hashes, and has no style attribute', () => {
    const policy = /Content-Security-Policy" content="([^"]*)"/.exec(page)![1]!;
    expect(policy).toContain("default-src 'none'");
    const hashOf = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
    const script = /<script>([\s\S]*?)<\/script>/.exec(page)![1]!;
    const style = /<style>([\s\S]*?)<\/style>/.exec(page)![1]!;
    expect(policy).toContain(`script-src ${hashOf(script)}`);
    expect(policy).toContain(`style-src ${hashOf(style)}`);
    expect(page.replace(/<script[\s\S]*?<\/script>/g, '')).not.toMatch(/ style=| on[a-z]+=/);
  });

  it('can be read without scripts: figures in tables, plots as pictures', () => {
    const still = page.replace(/<script[\s\S]*?<\/script>/g, '');
    expect(still).toContain('<th class="right" title="Sum of the uncached chunk times');
    expect(still.match(/<svg class="plot/g)!.length).toBeGreaterThanOrEqual(7 + 3 + 4);
    for (const heading of ['Configurations', 'Latency by stage', 'Actions', 'Seams between chunks']) {
      expect(still).toContain(`<h2>${heading}</h2>`);
    }
  });

  it('carries the same figures as metrics.json', () => {
    const text = /<script type="application\/json" id="metrics">([\s\S]*?)<\/script>/.exec(page)![1]!;
    expect(JSON.parse(text)).toEqual(metricsJson(evaluation, evaluate(evaluation), fakeProvenance()));
  });

  it('says how to measure the same again, and whether the weights are random', () => {
    expect(page).toContain(
      'fastwam replay bags/table_top --bundle bundles/table_top --refresh 4 --range 0:6',
    );
    const model = { ...fakeProvenance().model, randomWeights: true };
    const random = reportPage(evaluation, evaluate(evaluation), fakeProvenance({ model }));
    expect(random).toContain('The weights are random');
  });

  it('escapes whatever a recording or a bundle may contain', () => {
    const attack = `</script><script>alert(1)</script><img src=x onerror="alert(2)">'"&\u202e`;
    const hostile = fakeProvenance({
      command: ['fastwam', attack],
      model: {
        name: attack,
        path: attack,
        fingerprint: attack,
        randomWeights: false,
        facts: [[attack, attack]],
      },
      recording: { name: attack, path: attack, facts: [[attack, attack]] },
      versions: [[attack, attack]],
      machine: [[attack, attack]],
      settings: [[attack, attack]],
    });
    const base = fakeEvaluation({
      robot: 'arm',
      chunks: 3,
      configurations: [UNCACHED, { ...cachedConfiguration(2, 6), name: attack }],
      instruction: attack,
      warnings: [{ kind: 'other', message: attack, time: 1, configuration: attack }],
    });
    const text = reportPage(
      {
        ...base,
        layout: {
          ...base.layout,
          names: base.layout.names.map(() => attack),
          units: base.layout.units.map(() => attack),
          groups: base.layout.groups.map((group) => ({ ...group, name: attack, unit: attack })),
        },
      },
      evaluate(base),
      hostile,
    );
    expect(text).not.toMatch(/<img|<script>alert/);
    expect(text).not.toContain('\u202e');
    expect(text.match(/<script/g)).toHaveLength(3);
    expect(text.match(/<\/script>/g)).toHaveLength(3);
  });

  it.each<[string, FakeOptions]>([
    [
      'one chunk of one joint',
      {
        robot: 'one_joint',
        chunks: 1,
        configurations: [UNCACHED, cachedConfiguration(4, 6)],
        recorded: false,
      },
    ],
    ['an uncached run alone', { robot: 'arm', chunks: 3, configurations: [UNCACHED], residuals: false }],
    ['fourteen joints, fifteen configurations', { robot: 'two_arms', chunks: 20, configurations: fifteen }],
    [
      'five hundred chunks',
      { robot: 'two_arms', chunks: 500, episodes: 3, configurations: [UNCACHED, cachedConfiguration(4, 6)] },
    ],
  ])('draws %s without a coordinate that is not a number', (_, options) => {
    const still = pageOf(options).replace(/<script[\s\S]*?<\/script>/g, '');
    expect(still).not.toMatch(/NaN|Infinity|undefined|\[object/);
    expect(still).not.toMatch(/(width|height)="-/);
  });

  it('stays a file that can be mailed: 500 chunks of 14 joints in under 3 MB', () => {
    const page500 = pageOf({
      robot: 'two_arms',
      chunks: 500,
      configurations: [UNCACHED, cachedConfiguration(4, 6)],
    });
    expect(page500.length).toBeLessThan(3e6);
  });
});

describe('markup', () => {
  it('escapes what is put into it, but not markup', () => {
    const inner = markup`<b>${'a<b'}</b>`;
    expect(markup`<i title="${`"'&`}">${inner}${[1.23456, undefined, false]}</i>`.text).toBe(
      '<i title="&quot;&#39;&amp;"><b>a&lt;b</b>1.235</i>',
    );
    expect(escaped('a\u0000\u001b\nb')).toBe('a\nb');
  });

  it('gives JSON that cannot leave its script element', () => {
    const value = { text: '</script><!-- &\u2028' };
    const { text } = jsonForScript(value);
    expect(text).not.toMatch(/[<>&\u2028]/);
    expect(JSON.parse(text)).toEqual(value);
  });
});

describe('axes', () => {
  it('have ticks at 1, 2 or 5 times a power of ten', () => {
    const { ticks, label, at } = axis({ low: 0, high: 0.0047, start: 0, end: 470, ticks: 5 });
    // 0.0047/5 = 0.00094 → 0.001
    expect(ticks.map(label)).toEqual(['0.000', '0.001', '0.002', '0.003', '0.004']);
    expect(at(0.001)).toBeCloseTo(100, 9);
  });

  it('put a flat line in the middle', () => {
    const { at } = axis({ low: 3, high: 3, start: 0, end: 100 });
    expect(at(3)).toBeCloseTo(50, 9);
  });

  it('survive an empty plot', () => {
    expect(axis({ low: Infinity, high: -Infinity, start: 0, end: 1 }).ticks.length).toBeGreaterThan(1);
  });
});

describe('lines', () => {
  it('break where a value is missing', () => {
    expect(linePath([0, 1, 2, 3], [0, 1, NaN, 3])).toBe('M0.0 0.0L1.0 1.0M3.0 3.0');
  });

  it('keep the peaks when they are thinned', () => {
    const values = Float32Array.from({ length: 1000 }, (_, i) => (i === 777 ? 9 : i === 333 ? -9 : 0));
    const kept = peaksKept(values, 10);
    expect(kept).toContain(777);
    expect(kept).toContain(333);
    expect(kept.length).toBeLessThanOrEqual(20);
    expect([...kept].sort((a, b) => a - b)).toEqual(kept);
  });

  it('keep a gap when they are thinned', () => {
    const values = Float32Array.from({ length: 1000 }, (_, i) => (i === 500 ? NaN : i));
    expect(peaksKept(values, 10)).toContain(500);
  });
});

describe('the cache strip', () => {
  it('knows what each step was', () => {
    const reuse = chunkOf([0], { report: { refreshed: false, computed: Uint8Array.from([0, 0, 1]) } });
    expect(stepStates(reuse.report, 3)).toEqual(['reused', 'reused', 'computed']);
    const refresh = chunkOf([0], { report: { computed: Uint8Array.from([1, 1, 1]) } });
    expect(stepStates(refresh.report, 3)).toEqual(['refresh', 'refresh', 'refresh']);
    // two steps of four blocks: one of four, three of four
    const blocks = Uint8Array.from([1, 0, 0, 0, 1, 1, 0, 1]);
    const partly = chunkOf([0], { report: { refreshed: false, computed: blocks, computedShape: 'blocks' } });
    expect(stepStates(partly.report, 2)).toEqual(['part1', 'part3']);
  });
});

describe('the motion', () => {
  it('strings executed parts together, with a gap between episodes', () => {
    const evaluation = fakeEvaluation({
      robot: 'one_joint',
      chunks: 4,
      episodes: 2,
      configurations: [UNCACHED],
    });
    const { time, seams, episodes, series } = motionOf(evaluation, [{ name: 'none', className: 's0' }]);
    expect(time).toHaveLength(4 * 10 + 1);
    expect(seams).toHaveLength(2);
    expect(episodes).toEqual([0, 1]);
    expect(series.map(({ name }) => name)).toEqual(['recorded', 'none']);
    expect(series[1]!.values[0]![20]).toBeNaN();
    expect(series[1]!.values[0]![0]).toBe(evaluation.runs[0]!.chunks[0]!.actions[0]);
    expect([...time].every((t, i) => i === 0 || t >= time[i - 1]!)).toBe(true);
  });
});

describe('colours', () => {
  it('go to the uncached run, the focus and the front first; the rest is grey', () => {
    const evaluation = fakeEvaluation({ robot: 'arm', chunks: 20, configurations: fifteen });
    const styles = seriesStyles(evaluate(evaluation));
    expect(styles[0]!.className).toBe('s0');
    expect(styles.filter(({ className }) => className === 'sx')).toHaveLength(15 - 1 - 6);
    expect(new Set(styles.filter((s) => s.highlighted).map((s) => s.className)).size).toBe(7);
  });
});
