/** Opening a grant: its clock starts, and its credential comes back. */

import type { Client, ErrorCode, Output } from '@tidegate/api'
import { ApiError } from '@tidegate/api'
import { after } from '@tidegate/core'
import type { Millis } from '@tidegate/core'
import type { Invocation } from '../context.ts'
import type { Interruption } from '../interruption.ts'
import { patience } from '../limits.ts'
import { retrying } from '../server.ts'
import type { Grant } from '../words/grant.ts'

export type Opened = Output<'activateGrant'>
export type Credential = Opened['credential']

type Opening = {
  readonly client: Client
  readonly grant: Grant
  readonly interruption: Interruption
  /** For a target that is down, where its resource waits for it. Absent: not at all. */
  readonly waitForTarget: Millis | undefined
}

/** @throws {ApiError} as the server says; whatever the signal's abort throws, when interrupted */
export async function openGrant(invocation: Invocation, opening: Opening): Promise<Opened> {
  const { waitForTarget, interruption } = opening
  const deadline = waitForTarget === undefined ? invocation.now() : after(invocation.now(), waitForTarget)
  let delayMs: number = patience.targetMs.first
  for (;;) {
    try {
      return await openOnce(invocation, opening)
    } catch (error) {
      const left = deadline - invocation.now()
      if (left <= 0 || !isOutOfReach(error)) throw error
      if (!changedNothing(error) && !(await mayTryAgain(opening))) throw error
      invocation.out.note(`${error.message} Trying again.`)
      await invocation.sleep(Math.min(delayMs, left), interruption.signal)
      interruption.signal.throwIfAborted()
      delayMs = Math.min(delayMs * 2, patience.targetMs.most)
    }
  }
}

/** A resource that waits leaves its grant ready; any other has ended it. */
async function mayTryAgain({ client, grant, interruption }: Opening): Promise<boolean> {
  const { state } = await client.getGrant({ id: grant.id }, { signal: interruption.signal })
  return state === 'ready'
}

/** An answer that was lost is no harm: opening an open grant gives a new credential with the same end. */
async function openOnce(invocation: Invocation, { client, grant, interruption }: Opening): Promise<Opened> {
  const { signal } = interruption
  for (const delayMs of patience.busyMs) {
    try {
      return await retrying(invocation, () => client.activateGrant({ id: grant.id }, { signal }), { signal })
    } catch (error) {
      if (!isCode(error, 'grant-busy')) throw error
      await invocation.sleep(delayMs, signal)
    }
  }
  return client.activateGrant({ id: grant.id }, { signal })
}

/** The target, or what stands in front of it. */
const isOutOfReach = (error: unknown): error is ApiError =>
  isCode(error, 'target-unavailable') || isCode(error, 'no-gateway')

/** Refused before anything was done: the grant is as it was, and whoever has it open goes on. */
export const changedNothing = (error: unknown): boolean => isCode(error, 'no-gateway')

const isCode = (error: unknown, code: ErrorCode): error is ApiError => error instanceof ApiError && error.code === code
