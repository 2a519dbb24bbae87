import type { WebSocket } from 'ws';
import { FastWamError, InputError, messageOf } from '../errors';
import type { Conversation } from './Conversation';
import { readMessage, writeMessage } from './message';

/** Messages of one client that wait for their turn before nothing more is read from it. */
const MOST_WAITING = 2;
/** A client that takes no reply for so long is let go, milliseconds. */
const REPLY_PATIENCE = 30_000;

/** Close codes of RFC 6455. */
const GOING_AWAY = 1001;
const INTERNAL_ERROR = 1011;

interface Received {
  readonly data: Uint8Array;
  readonly binary: boolean;
}

/**
 * One client. Its messages are answered one after the other, each by one reply: a map, or a text with the sentence why
 * there is none. It is read from only as fast as it is answered and takes its replies, so it costs a bounded memory.
 */
export class Connection {
  /** resolves when the client is gone and nothing is kept for it any more */
  readonly ended: Promise<void>;
  readonly #socket: WebSocket;
  readonly #waiting: Received[] = [];
  #conversation: Conversation | undefined;
  #answering = false;
  #closed = false;
  /** whether it has been heard of since it was last asked */
  #heard = true;
  #answered = 0;
  #refused = 0;
  #lastRefusal = '';

  /** @param open opens the conversation; the client waits for its greeting */
  constructor(socket: WebSocket, open: () => Promise<Conversation>) {
    this.#socket = socket;
    socket.on('message', (data, binary) => this.#receive({ data: data as Buffer, binary }));
    socket.on('pong', () => (this.#heard = true));
    // What ws finds wrong with a frame (too large, not as the RFC says) closes the connection with its code.
    socket.on('error', (error) => (this.#lastRefusal = messageOf(error)));
    this.ended = new Promise<void>((resolve) => {
      socket.on('close', () => {
        this.#closed = true;
        this.#waiting.length = 0;
        resolve();
      });
    }).then(() => this.#conversation?.close().catch(() => undefined));
    void this.#begin(open);
  }

  /** What became of it, for people. */
  get account(): string {
    const refused =
      this.#refused + this.#answered > 0 && this.#refused === 0 ? '' : `, ${this.#refused} refused`;
    const last = this.#lastRefusal === '' ? '' : ` (the last: ${this.#lastRefusal})`;
    return `${this.#answered} messages answered${refused}${last}`;
  }

  /** Asks whether the client is still there, and lets one go that has not said so since it was last asked. */
  askIfThere(): void {
    // From one that is not read from, no answer can be read either.
    if (this.#socket.isPaused) return;
    if (!this.#heard) {
      this.#lastRefusal = 'it did not answer when asked whether it is there';
      this.#socket.terminate();
      return;
    }
    this.#heard = false;
    this.#socket.ping();
  }

  /** Takes leave of the client. */
  close(reason: string): void {
    this.#socket.close(GOING_AWAY, reason);
  }

  /** Ends it without waiting for the client. */
  terminate(): void {
    this.#socket.terminate();
  }

  async #begin(open: () => Promise<Conversation>): Promise<void> {
    try {
      const conversation = await open();
      if (this.#closed) {
        await conversation.close();
        return;
      }
      this.#conversation = conversation;
      await this.#send(writeMessage(conversation.greeting));
      await this.#answerAll();
    } catch (error) {
      this.#lastRefusal = messageOf(error);
      this.#socket.close(INTERNAL_ERROR);
    }
  }

  #receive(received: Received): void {
    this.#heard = true;
    if (this.#closed) return;
    this.#waiting.push(received);
    if (this.#waiting.length >= MOST_WAITING) this.#socket.pause();
    void this.#answerAll();
  }

  async #answerAll(): Promise<void> {
    if (this.#answering || !this.#conversation) return;
    this.#answering = true;
    for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) {
      await this.#answer(next, this.#conversation);
      if (this.#waiting.length === 0 && this.#socket.isPaused) this.#socket.resume();
    }
    this.#answering = false;
  }

  async #answer({ data, binary }: Received, conversation: Conversation): Promise<void> {
    let reply: Uint8Array | string;
    let broken = false;
    try {
      if (!binary) throw new InputError('a text; expected a map as MessagePack, in a binary message');
      reply = writeMessage(await conversation.answer(readMessage(data)));
      this.#answered += 1;
    } catch (error) {
      reply = messageOf(error);
      broken = !(error instanceof FastWamError);
      this.#refused += 1;
      this.#lastRefusal = reply;
    }
    await this.#send(reply);
    // A fault of our own: the client shall not build on what follows it.
    if (broken) this.#socket.close(INTERNAL_ERROR);
  }

  /** Resolves when the client has taken it, or is gone. */
  #send(reply: Uint8Array | string): Promise<void> {
    if (this.#closed) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#lastRefusal = `it took no reply for ${REPLY_PATIENCE / 1000} s`;
        this.#socket.terminate();
      }, REPLY_PATIENCE);
      this.#socket.send(reply, () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}
