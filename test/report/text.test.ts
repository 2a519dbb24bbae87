import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { evaluate } from '../../src/evaluation/evaluate';
import { byteSize, milliseconds, percent, significant, times, withUnit } from '../../src/report/numbers';
import { plainText, shortened } from '../../src/plainText';
import { ProgressBar } from '../../src/report/ProgressBar';
import { shellCommand } from '../../src/report/shellCommand';
import { seamRatio, summaryTable } from '../../src/report/summaryTable';
import { tableLines, terminalReport, wantsColour, warningText } from '../../src/report/terminalReport';
import { focusOf, verdict } from '../../src/report/verdict';
import { cachedConfiguration, fakeEvaluation, fakeProvenance, UNCACHED } from '../evaluation/fakeEvaluation';

const evaluation = fakeEvaluation({
  robot: 'arm',
  chunks: 12,
  configurations: [UNCACHED, cachedConfiguration(4, 6), cachedConfiguration(0, 7)],
});

describe('numbers', () => {
  it('keep their significant digits without exponents in the usual range', () => {
    expect([0.00412345, 12.345, 1234.5, 0, -0.5, 1e-7, 2e9].map((x) => significant(x))).toEqual([
      '0.00412',
      '12.3',
      '1235',
      '0',
      '−0.500',
      '1.00e−7',
      '2.00e+9',
    ]);
  });

  it('are a dash where there is no figure', () => {
    for (const text of [significant(NaN), times(NaN), percent(NaN), milliseconds(NaN)])
      expect(text).toBe('–');
    expect(times(Infinity)).toBe('∞×');
  });

  it('have units that people use', () => {
    expect(milliseconds(0.0123456)).toBe('12.3');
    expect(milliseconds(0.00123456)).toBe('1.23');
    expect(byteSize(896)).toBe('896 B');
    expect(byteSize(917504)).toBe('896 KiB');
    expect(percent(0.0421)).toBe('4.2 %');
    expect(withUnit(0.5, 'rad')).toBe('0.500 rad');
    expect(withUnit(0.5, '')).toBe('0.500');
  });
});

describe('text from files', () => {
  it('loses its control characters on the way to a terminal', () => {
    expect(plainText('pick\u001b[2J\u0007up\u202Ethe\r\ncup')).toBe('pick [2J up the cup');
  });

  it('never keeps one, whatever it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(plainText(text)).not.toMatch(/\p{Cc}|\p{Bidi_Control}/u);
      }),
    );
  });

  it('is cut between characters', () => {
    expect(shortened('🤖🤖🤖🤖', 3)).toBe('🤖🤖…');
    expect(shortened('abc', 3)).toBe('abc');
  });
});

describe('the terminal table', () => {
  it('aligns its columns, figures on the right', () => {
    const lines = tableLines({
      columns: [
        { title: 'name', align: 'left', help: '' },
        { title: 'ms', align: 'right', help: '' },
      ],
      rows: [
        ['a', '1.0'],
        ['longer', '100.0'],
      ],
    });
    expect(lines).toEqual(['name       ms', 'a         1.0', 'longer  100.0']);
  });

  it('counts wide characters twice', () => {
    const columns = [
      { title: 'n', align: 'left', help: '' },
      { title: 'v', align: 'left', help: '' },
    ] as const;
    expect(
      tableLines({
        columns,
        rows: [
          ['黄色', 'x'],
          ['abcd', 'y'],
        ],
      }),
    ).toEqual(['n     v', '黄色  x', 'abcd  y']);
  });

  it('has a row for each configuration and a cell for each column', () => {
    const { columns, rows } = summaryTable(evaluate(evaluation), evaluation.layout);
    expect(rows.map((row) => row[1])).toEqual(['none', 'c3ache R=4 [0,6]', 'c3ache R=0 [0,7]']);
    for (const row of rows) expect(row).toHaveLength(columns.length);
  });

  it('marks the choice and says who keeps the tolerance', () => {
    const figures = evaluate(evaluation, { measure: 'rmse', groups: { translation: 1e-6 }, flips: 0 });
    const { columns, rows, marked } = summaryTable(figures, evaluation.layout);
    const tolerance = columns.findIndex(({ title }) => title === 'tolerance');
    expect(marked).toBe(0);
    expect(rows.map((row) => row[tolerance])).toEqual(['choice', 'nearest', 'broken']);
  });

  it('is plain without a terminal and coloured on one', () => {
    const figures = evaluate(evaluation);
    const plain = terminalReport(evaluation, figures, fakeProvenance(), { colour: false });
    expect(plain).not.toContain('\u001b');
    expect(plain.endsWith('\n')).toBe(true);
    expect(terminalReport(evaluation, figures, fakeProvenance(), { colour: true })).toContain('\u001b[1m');
    expect(wantsColour({ isTTY: true }, {})).toBe(true);
    expect(wantsColour({ isTTY: true }, { NO_COLOR: '1' })).toBe(false);
    expect(wantsColour({ isTTY: true }, { TERM: 'dumb' })).toBe(false);
    expect(wantsColour({}, {})).toBe(false);
  });

  it('strips control characters from warnings and names', () => {
    const hostile = {
      ...evaluation,
      warnings: [{ kind: 'stale' as const, message: 'camera \u001b]0;pwned\u0007', time: 3.21 }],
    };
    const text = terminalReport(hostile, evaluate(hostile), fakeProvenance(), { colour: false });
    expect(text).toContain('warning: 3.21 s: camera  ]0;pwned');
    expect(text.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
    expect(warningText({ kind: 'other', message: 'm', configuration: 'c' })).toBe('c: m');
  });

  it('leaves gripper groups out of the seam figure', () => {
    const [none, cached] = evaluate(evaluation).configurations;
    const all = seamRatio(cached!.seams, none!.seams, new Set());
    const motion = seamRatio(cached!.seams, none!.seams, new Set(['gripper']));
    expect(all).toBe(Math.max(...cached!.seams.map((s, i) => s.jump.mean / none!.seams[i]!.jump.mean)));
    expect(motion).toBeLessThan(all);
  });
});

describe('the verdict', () => {
  it('names the fastest configuration on the front where no tolerance was stated', () => {
    const figures = evaluate(evaluation);
    // R = 0 [0,7] is faster, but was never refreshed in what was recorded.
    expect(focusOf(figures)!.configuration.name).toBe('c3ache R=4 [0,6]');
    expect(verdict(figures, fakeProvenance())).toMatch(
      /^c3ache R=4 \[0,6\] is 1\.\d\d× as fast as the uncached run.* Of 2 configurations it is the fastest that this recording can show/,
    );
  });

  it('says to run uncached where nothing keeps the tolerance, and why', () => {
    const figures = evaluate(evaluation, { measure: 'rmse', groups: { translation: 1e-6 }, flips: 0 });
    expect(verdict(figures, fakeProvenance())).toMatch(
      /^Run uncached: .* Nearest: c3ache R=4 \[0,6\], 1\.\d\d× as fast.*translation 0\.\d+ m where 0\.000001 is allowed/,
    );
  });

  it('says to run the choice', () => {
    const figures = evaluate(evaluation, { measure: 'worst', groups: { translation: 1 }, flips: 0 });
    expect(verdict(figures, fakeProvenance())).toMatch(
      /^Run c3ache R=4 \[0,6\]: .*within the stated tolerance.* Not recommended, however it looks here: c3ache R=0 \[0,7\]; .*never refreshed/,
    );
  });

  it('says that random weights show no quality', () => {
    const model = { ...fakeProvenance().model, randomWeights: true };
    expect(verdict(evaluate(evaluation), fakeProvenance({ model }))).toContain('The weights are random');
    const tolerance = { measure: 'worst', groups: { translation: 1 }, flips: 0 } as const;
    const figures = evaluate(evaluation, tolerance, { recommend: false });
    expect(figures.choice).toBeUndefined();
    expect(figures.nearestMiss).toBeUndefined();
    expect(verdict(figures, fakeProvenance({ model }))).toMatch(/nothing is recommended\.$/);
  });

  it('knows what to say of an uncached run alone', () => {
    const alone = evaluate({ ...evaluation, runs: evaluation.runs.slice(0, 1) });
    expect(verdict(alone, fakeProvenance())).toMatch(/^Only the uncached run was measured/);
  });
});

describe('progress', () => {
  it('redraws one line on a terminal and leaves it clean', () => {
    let clock = 0;
    const written: string[] = [];
    const stream = { isTTY: true, columns: 60, write: (text: string) => written.push(text) };
    const bar = new ProgressBar({ stream, label: 'replay', total: 4, now: () => clock });
    clock = 30_000;
    bar.update(1); // a quarter in 30 s: 90 s are left
    bar.finish();
    expect(written[0]).toBe(`\rreplay ${'█'.repeat(6)}${'░'.repeat(18)} 1/4, 1:30 left\u001b[K`);
    expect(written[1]).toBe('\r\u001b[K');
  });

  it('writes a plain line for every tenth elsewhere', () => {
    const written: string[] = [];
    const bar = new ProgressBar({
      stream: { write: (text: string) => written.push(text) },
      label: 'replay',
      total: 100,
      now: () => 0,
    });
    for (let i = 1; i <= 100; i += 1) bar.update(i);
    bar.finish();
    expect(written).toHaveLength(10);
    expect(written[0]).toBe('replay 10/100, 0:00 left\n');
    expect(written[9]).toBe('replay 100/100\n');
    expect(written.join('').replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
  });
});

describe('the command in the report', () => {
  it('can be pasted into a shell', () => {
    expect(shellCommand(['fastwam', 'replay', 'my bag', '--set', "a='b'"])).toBe(
      `fastwam replay 'my bag' --set 'a='\\''b'\\'''`,
    );
  });
});
