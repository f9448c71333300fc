/**
 * Two processes that ask one another, over the channel that a process has to those it started. What fails there fails
 * here, in the same words.
 */

import type { Client } from './contract.ts'
import { PutOut } from '../control-plane.ts'
import { GatewayRefusal, type RefusalCode } from '../refusal.ts'

export type Port = {
  readonly send: (message: object) => void
  readonly onMessage: (hear: (message: unknown) => void) => void
  /** There is nobody any more. */
  readonly onOver: (end: () => void) => void
}

/** What a process can be asked. What is given and what comes of it survives being JSON. */
type Handlers = Readonly<Record<string, (given: never) => unknown>>

export type Talk<Theirs extends Handlers> = {
  /** @throws what was thrown there, or that there is nobody */
  readonly ask: <What extends keyof Theirs & string>(
    what: What,
    given: Parameters<Theirs[What]>[0],
  ) => Promise<Awaited<ReturnType<Theirs[What]>>>
  /** Nobody waits for what comes of it. */
  readonly tell: <What extends keyof Theirs & string>(what: What, given: Parameters<Theirs[What]>[0]) => void
}

type Fault = { readonly name: string; readonly message: string; readonly code?: string; readonly remedy?: string }

type Message =
  | { readonly is: 'question'; readonly number?: number; readonly what: string; readonly given?: unknown }
  | { readonly is: 'answer'; readonly number: number; readonly comes?: unknown; readonly fault?: Fault }

type Waiting = { readonly resolve: (comes: never) => void; readonly reject: (why: Error) => void }

export function createTalk<Theirs extends Handlers>(port: Port, ours: Handlers): Talk<Theirs> {
  const waiting = new Map<number, Waiting>()
  let count = 0
  let isOver = false

  const send = (message: Message): void => {
    if (!isOver) port.send(message)
  }
  const answer = async (what: string, given: unknown): Promise<Pick<Message & { is: 'answer' }, 'comes' | 'fault'>> => {
    try {
      return { comes: await ours[what]?.(given as never) }
    } catch (error) {
      return { fault: faultOf(error) }
    }
  }
  const hear = async (message: Message | Client): Promise<void> => {
    if (message.is === 'client') return
    if (message.is === 'question') {
      const { number, what, given } = message
      const answered = await answer(what, given)
      if (number !== undefined) send({ is: 'answer', number, ...answered })
      return
    }
    const asked = waiting.get(message.number)
    waiting.delete(message.number)
    if (message.fault !== undefined) asked?.reject(errorOf(message.fault))
    else asked?.resolve(message.comes as never)
  }

  port.onMessage((message) => void hear(message as Message))
  port.onOver(() => {
    isOver = true
    for (const { reject } of waiting.values()) reject(gone())
    waiting.clear()
  })

  return {
    ask: (what, given) =>
      new Promise((resolve, reject) => {
        if (isOver) return reject(gone())
        const number = ++count
        waiting.set(number, { resolve, reject })
        send({ is: 'question', number, what, given })
      }),
    tell: (what, given) => send({ is: 'question', what, given }),
  }
}

const gone = (): Error => new Error('the process that was asked has ended')

function faultOf(error: unknown): Fault {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error) }
  const { name, message } = error
  return { name, message, ...(error instanceof GatewayRefusal && { code: error.code, remedy: error.remedy }) }
}

function errorOf({ name, message, code, remedy }: Fault): Error {
  if (name === 'GatewayRefusal') return new GatewayRefusal(code as RefusalCode, message, remedy ?? '')
  return name === 'PutOut' ? new PutOut(message) : new Error(message)
}
