import type { ServerResponse } from 'node:http';

/** Unsent bytes from which a page counts as slow: some twenty pictures. */
const LARGEST_BACKLOG = 256 * 1024;

/**
 * One open page. A page that takes its events too slowly is told nothing more until it has caught up, and then where
 * things stand: it loses pictures, and neither memory nor the loop's time.
 */
export class Viewer {
  #behind = false;

  /** @param catchUp the event that says where things stand */
  constructor(
    private readonly response: Pick<ServerResponse, 'write' | 'end' | 'writableLength' | 'on'>,
    private readonly catchUp: () => string,
  ) {
    response.on('drain', () => {
      if (!this.#behind) return;
      this.#behind = false;
      response.write(this.catchUp());
    });
  }

  /** @param event an event in the form of an event stream, see {@link eventText} */
  send(event: string): void {
    if (this.response.writableLength > LARGEST_BACKLOG) this.#behind = true;
    if (!this.#behind) this.response.write(event);
  }

  end(): void {
    this.response.end();
  }
}

/** An event as server-sent events write it; JSON has no line breaks. */
export function eventText(name: string, message: unknown): string {
  return `event: ${name}\ndata: ${JSON.stringify(message)}\n\n`;
}
