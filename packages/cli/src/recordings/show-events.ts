/** What comes of a recording, printed as it comes: an event a line, and what holds of them at last. */

import type { ArrivingItem } from '@tidegate/gateway'
import type { Invocation } from '../context.ts'
import type { ExitName } from '../exit-codes.ts'
import { styled } from '../output.ts'
import { eventLine } from './event-line.ts'

/** Resolves with how to exit; `undefined`: there was no verdict, so whoever looked has left. */
export async function showEvents(
  invocation: Invocation,
  items: AsyncIterable<ArrivingItem>,
): Promise<ExitName | undefined> {
  const { eventForm } = await import('@tidegate/gateway')
  for await (const item of items) {
    if (invocation.stdout.destroyed) return 'ok'
    if (item.item === 'event') invocation.out.item(eventForm(item.event), () => [eventLine(invocation, item.event)])
    if (item.item !== 'verdict') continue
    const { ok, detail } = item.verdict
    invocation.out.note([ok ? styled('green', 'Holds') : styled('red', 'Does not hold'), `: ${detail}.`])
    return ok ? 'ok' : 'verification-failed'
  }
  return undefined
}
