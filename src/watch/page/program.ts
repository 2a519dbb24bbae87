import { byId } from '../../report/page/dom';
import type { ControlRequest } from '../controlRequest';
import { TOKEN_HEADER } from '../messages';
import { setup } from './setup';

export const SILENCE = 'fastwam watch does not answer; is it still running?';

/** Asks the program for something. Returns its refusal, empty where it did as asked. */
export async function ask(request: ControlRequest): Promise<string> {
  try {
    const response = await fetch('control', {
      method: 'POST',
      headers: { 'content-type': 'application/json', [TOKEN_HEADER]: setup.token },
      body: JSON.stringify(request),
    });
    return response.ok ? '' : await response.text();
  } catch {
    return SILENCE;
  }
}

/** Asks for something whose refusal belongs to the whole page. */
export async function command(request: ControlRequest): Promise<void> {
  const sentence = await ask(request);
  if (sentence !== '') say(byId('problem'), sentence);
}

/** Shows a sentence, or hides its element where there is none. */
export function say(element: HTMLElement, sentence: string): void {
  element.textContent = sentence;
  element.hidden = sentence === '';
}

/** Sends the newest of many changes, one request at a time. */
export class Sender {
  readonly #make: () => ControlRequest;
  readonly #answered: (refusal: string) => void;
  #busy = false;
  #again = false;

  /**
   * @param make the request as things stand when it is sent
   * @param answered told the refusal of each request, empty where there was none
   */
  constructor(make: () => ControlRequest, answered: (refusal: string) => void) {
    this.#make = make;
    this.#answered = answered;
  }

  /** Whether a request is on its way: what the program says it uses is older than what is asked for. */
  get busy(): boolean {
    return this.#busy;
  }

  async send(): Promise<void> {
    this.#again = true;
    if (this.#busy) return;
    this.#busy = true;
    while (this.#again) {
      this.#again = false;
      this.#answered(await ask(this.#make()));
    }
    this.#busy = false;
  }
}
