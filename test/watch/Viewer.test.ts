import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { eventText, Viewer } from '../../src/watch/Viewer';

class FakeResponse extends EventEmitter {
  writableLength = 0;
  readonly written: string[] = [];
  ended = false;
  write(text: string): boolean {
    this.written.push(text);
    return true;
  }
  end(): this {
    this.ended = true;
    return this;
  }
}

describe('A page that is told what happens', () => {
  const open = () => {
    const response = new FakeResponse();
    return { response, viewer: new Viewer(response as never, () => 'where things stand') };
  };

  it('is told everything in order while it keeps up', () => {
    const { response, viewer } = open();
    viewer.send('a');
    viewer.send('b');
    response.emit('drain');
    expect(response.written).toEqual(['a', 'b']);
  });

  it('is told nothing while it is slow, and then once where things stand', () => {
    const { response, viewer } = open();
    response.writableLength = 1024 * 1024;
    for (let i = 0; i < 1000; i++) viewer.send('picture');
    expect(response.written).toEqual([]);
    response.writableLength = 0;
    viewer.send('still behind: what came before is missing');
    expect(response.written).toEqual([]);
    response.emit('drain');
    viewer.send('next');
    expect(response.written).toEqual(['where things stand', 'next']);
  });
});

describe('The text of an event', () => {
  it('is one event whatever the message holds', () => {
    expect(eventText('snapshot', { text: 'a\n\nevent: chunk\ndata: {}' })).toBe(
      'event: snapshot\ndata: {"text":"a\\n\\nevent: chunk\\ndata: {}"}\n\n',
    );
  });
});
