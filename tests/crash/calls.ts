/** Calls as a patient client makes them: what got no answer is asked again, and what came of each is counted. */

import { setTimeout as delay } from 'node:timers/promises'
import type { CallOptions, Client } from '@tidegate/api'
import { ApiError } from '@tidegate/api'

/** A refusal's code; `no-answer`: the connection broke or nothing came for as long as the call may take. */
export type Code = ApiError['code'] | 'no-answer'

export type Tally = Map<Code | 'done', number>

export type Answered<T> = { readonly value: T } | { readonly refused: Code; readonly detail: string }

type Call<T> = (client: Client, options: CallOptions) => Promise<T>

type Patience = {
  /** Another client for each try: the next server may be the one that is there. */
  readonly client: () => Client
  readonly tally: Tally
  readonly slowest: { ms: number }
  readonly giveUp: () => boolean
}

/** Longer than the server takes to find out that its store does not answer. */
const answerWithinMs = 60_000
const betweenMs = 400
/** Worth asking again, of whoever answers then. */
export const transient: readonly Code[] = ['unavailable', 'no-answer', 'grant-busy']

export async function once<T>(
  call: Call<T>,
  { client, tally, slowest }: Omit<Patience, 'giveUp'>,
): Promise<Answered<T>> {
  const since = performance.now()
  const outcome = await settle(call, client())
  slowest.ms = Math.max(slowest.ms, performance.now() - since)
  const code = 'refused' in outcome ? outcome.refused : 'done'
  tally.set(code, (tally.get(code) ?? 0) + 1)
  return outcome
}

export async function persist<T>(call: Call<T>, patience: Patience): Promise<Answered<T>> {
  for (;;) {
    const outcome = await once(call, patience)
    if (!('refused' in outcome) || !transient.includes(outcome.refused) || patience.giveUp()) return outcome
    await delay(betweenMs)
  }
}

async function settle<T>(call: Call<T>, client: Client): Promise<Answered<T>> {
  try {
    return { value: await call(client, { signal: AbortSignal.timeout(answerWithinMs) }) }
  } catch (error) {
    if (!(error instanceof ApiError)) return { refused: 'no-answer', detail: String(error) }
    return { refused: error.code, detail: error.message }
  }
}
