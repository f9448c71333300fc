/** Waiting for people to answer a request. */

import type { Client } from '@tidegate/api'
import { after } from '@tidegate/core'
import type { Millis } from '@tidegate/core'
import type { Invocation } from './context.ts'
import type { Exit } from './exit-codes.ts'
import { exitOfSignal } from './exit-codes.ts'
import type { Interruption } from './interruption.ts'
import { patience } from './limits.ts'
import { command } from './output.ts'
import { isTransient } from './server.ts'
import type { AccessRequest } from './words/request.ts'
import { askedWords, exitOfStatus } from './words/request.ts'

type Wait = {
  readonly client: Client
  readonly request: AccessRequest
  readonly timeout: Millis
  readonly interruption: Interruption
}

/** Asks until the request is settled, the time is up, or a signal comes. The request stays as it is in any case. */
export async function waitForAnswer(
  invocation: Invocation,
  { client, request, timeout, interruption }: Wait,
): Promise<AccessRequest> {
  const deadline = after(invocation.now(), timeout)
  let latest = request
  let delayMs: number = patience.pollMs.first
  while (latest.status === 'pending' && invocation.now() < deadline && !interruption.signal.aborted) {
    await invocation.sleep(Math.min(delayMs, deadline - invocation.now()), interruption.signal)
    delayMs = Math.min(delayMs * 1.5, patience.pollMs.most)
    const next = await lookAgain(client, latest, interruption)
    if (next.status === 'pending' && askedWords(next) !== askedWords(latest)) {
      invocation.out.note(`Now waiting for ${askedWords(next)}.`)
    }
    latest = next
  }
  return latest
}

/** A server that restarts while people think is no reason to stop waiting. */
async function lookAgain(client: Client, request: AccessRequest, { signal }: Interruption): Promise<AccessRequest> {
  try {
    return await client.getRequest({ id: request.id }, { signal })
  } catch (error) {
    if (signal.aborted || isTransient(error)) return request
    throw error
  }
}

/** What a wait that gave nothing exits with; says why it stopped where the request itself does not. */
export function exitOfWait({ out }: Invocation, request: AccessRequest, interruption: Interruption): Exit {
  if (request.status !== 'pending') return exitOfStatus[request.status]
  const [signal] = interruption.received()
  out.note(
    [signal === undefined ? 'Nobody has answered yet' : 'No longer waiting', `; request ${request.id} stays.`],
    ['  Take it back with: ', command(`tidegate cancel ${request.id}`)],
  )
  return signal === undefined ? 'waiting' : exitOfSignal(signal)
}
