/**
 * One session's conversation, without its sockets: takes each message of either side and says what is to be done with
 * it. Knows what is outstanding, so that an answer is that of its statement in any pipeline; records; asks the guard.
 */

import { fromClient } from './from-client.ts'
import { fromServer } from './from-server.ts'
import { recordRows } from './keeping-rows.ts'
import type { Message } from './message.ts'
import { createState, type DialoguePorts, type State, type Verdict } from './state.ts'

export type Dialogue = {
  readonly fromClient: (message: Message) => Verdict
  readonly fromServer: (message: Message) => Verdict
  /** Something came, or something that was waited for is over: what is dealt with from here on happens now. */
  readonly moveOn: () => void
  /** For now the target has said all: what is gathered of it is recorded. */
  readonly pause: () => void
  /** The target works on something. */
  readonly isBusy: () => boolean
  /** The statement it works on; zero for none. */
  readonly current: () => number
  /** The target has told the client itself why it ends. */
  readonly isOver: () => boolean
}

class Conversation implements Dialogue {
  private readonly state: State

  constructor(ports: DialoguePorts) {
    this.state = createState(ports)
  }

  fromClient(message: Message): Verdict {
    return fromClient(this.state, message)
  }

  fromServer(message: Message): Verdict {
    return fromServer(this.state, message)
  }

  moveOn(): void {
    this.state.moment = undefined
  }

  pause(): void {
    recordRows(this.state)
  }

  isBusy(): boolean {
    return this.state.outstanding.size() > 0
  }

  current(): number {
    return this.state.outstanding.head()?.statement ?? 0
  }

  isOver(): boolean {
    return this.state.fatal
  }
}

export const createDialogue = (ports: DialoguePorts): Dialogue => new Conversation(ports)
