import { describe, expect, it, vi } from 'vitest';
import { FileFormatError, messageOf } from '../src/errors';
import { harmless, print, printJson, say } from '../src/terminal';

/** What a hostile file would like to do to a terminal: title, colours, a forged line, reversed text. */
const HOSTILE = '\u001b]0;PWNED\u0007\u001b[31mred\r\nfastwam: ok\u202e\u009b2J';

function written(stream: NodeJS.WriteStream, act: () => void): string {
  let text = '';
  const spy = vi.spyOn(stream, 'write').mockImplementation((part) => {
    text += String(part);
    return true;
  });
  try {
    act();
  } finally {
    spy.mockRestore();
  }
  return text;
}

// eslint-disable-next-line no-control-regex -- what must not be there
const RAW = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/;

describe('the terminal', () => {
  it('is told one plain line, whatever the message quotes', () => {
    const text = written(process.stderr, () => say(HOSTILE));
    expect(text).not.toMatch(RAW);
    expect(text.split('\n')).toHaveLength(2);
  });

  it('is shown tables with our own colours and no other command', () => {
    const text = written(process.stdout, () => print(`\u001b[1mhead\u001b[0m\n${HOSTILE}\n`));
    expect(text.startsWith('\u001b[1mhead\u001b[0m\n')).toBe(true);
    expect(text.slice(13)).not.toMatch(RAW);
    expect(harmless('a\u001b[8mhidden')).not.toContain('\u001b');
  });

  it('is given JSON that means the same and commands nothing', () => {
    const text = written(process.stdout, () => printJson({ name: HOSTILE }));
    expect(text).not.toMatch(RAW);
    expect(JSON.parse(text)).toEqual({ name: HOSTILE });
  });

  it('gets errors that are one plain line from the start', () => {
    expect(new FileFormatError(`a\u001b[2J.mcap`, 'is\nbad').message).toBe('a [2J.mcap: is bad');
    expect(messageOf(new Error('onnxruntime\n  says\r\nmore'))).toBe('onnxruntime   says more');
  });
});
