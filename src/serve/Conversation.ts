import type { WireMap } from './message';

/** One client's side of a server: what it says to the client, and what it keeps for it. */
export interface Conversation {
  /** what the client is told when it has connected */
  readonly greeting: WireMap;
  /** @throws FastWamError with the sentence for the client; the conversation goes on */
  answer(message: WireMap): Promise<WireMap>;
  /** The client is gone: what was kept for it goes too. Work in progress ends unheard. */
  close(): Promise<void>;
}
