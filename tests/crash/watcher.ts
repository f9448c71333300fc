/** An auditor who looks all the time: keeps every checkpoint, and remembers where in the log each entry was. */

import { setTimeout as delay } from 'node:timers/promises'
import { parseVerifierKey, openCheckpoint, verifyReceipt } from '@tidegate/audit'
import type { VerifierKey } from '@tidegate/audit'
import type { Fleet, Member } from './fleet.ts'
import type { Ledger } from './ledger.ts'

const everyMs = 250
const answerWithinMs = 5_000

export function startWatcher(fleet: Fleet, ledger: Ledger): { readonly stop: () => Promise<void> } {
  let stopped = false
  const vkey = parseVerifierKey(fleet.verifierKey)
  if (!vkey) throw new Error('The server has a verifier key.')
  const watching = (async (): Promise<void> => {
    for (let round = 0; !stopped; round++) {
      for (const member of fleet.members.filter((one) => one.isUp())) {
        await ignoringOutages(() => keepCheckpoint(member, ledger, vkey))
        if (round % 4 === 0) await ignoringOutages(() => rememberEntries(fleet, member, ledger))
      }
      await delay(everyMs)
    }
  })()
  return {
    async stop() {
      stopped = true
      await watching
    },
  }
}

/** Servers come and go here. What they say is held against them later, not that they say nothing. */
async function ignoringOutages(look: () => Promise<void>): Promise<void> {
  await look().catch(() => undefined)
}

async function keepCheckpoint({ url }: Member, { checkpoints, violations }: Ledger, vkey: VerifierKey): Promise<void> {
  const response = await fetch(`${url}/log/checkpoint`, { signal: AbortSignal.timeout(answerWithinMs) })
  if (response.status !== 200) return
  const note = await response.text()
  const opened = openCheckpoint(note, vkey)
  if (!opened.ok) {
    violations.push(`a checkpoint does not open: ${opened.detail}`)
    return
  }
  const { size } = opened.checkpoint
  const known = checkpoints.get(size)
  if (known !== undefined && known !== note) violations.push(`two checkpoints of size ${size} differ`)
  checkpoints.set(size, note)
}

async function rememberEntries(fleet: Fleet, member: Member, ledger: Ledger): Promise<void> {
  const signal = (): { signal: AbortSignal } => ({ signal: AbortSignal.timeout(answerWithinMs) })
  const auditor = fleet.clientOf('sam', member)
  const { items } = await auditor.listEntries({ limit: 100 }, signal())
  for (const { id, index } of items) {
    const known = ledger.places.get(id)
    if (known !== undefined && index !== known) ledger.violations.push(`entry ${id} moved within the log`)
    ledger.places.set(id, index ?? known)
  }
  const [latest] = items
  if (!latest) return
  const { proof } = await auditor.getReceipt({ id: latest.id }, signal())
  const verified = verifyReceipt(proof, fleet.verifierKey)
  if (!verified.ok) ledger.violations.push(`the receipt of ${latest.id} does not verify: ${verified.detail}`)
  else ledger.places.set(latest.id, verified.index)
}
