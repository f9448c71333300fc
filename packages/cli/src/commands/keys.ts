/** `tidegate keys` */

import type { Output } from '@tidegate/api'
import { defineCommand } from '../command.ts'
import type { Invocation } from '../context.ts'
import type { Line } from '../output.ts'
import { table } from '../output.ts'
import { connectToServer } from '../server.ts'
import { relative } from '../words/times.ts'

type Keys = Output<'listKeys'>
type MasterKey = Keys['master'][number]

export const keys = defineCommand({
  name: ['keys'],
  summary:
    'The master keys by their ids, which can be taken away, and the keys of the log (administrators and auditors)',
  details: [
    'One key seals; others that servers were given only open, while it takes their place. `SERVERS` says how many of those that run have the key. A key that is `not needed` can be taken out of TIDEGATE_KEY or the key file; keep it for as long as backups from its time.',
  ],
  examples: [{ line: 'tidegate keys', about: 'How far a change of the master key is' }],
  run: async (invocation) => {
    const client = await connectToServer(invocation)
    const found = await client.listKeys({})
    invocation.out.result(found, () => linesOf(invocation, found))
    for (const { id, sealed } of found.master.filter((key) => !key.seals && key.sealed.length > 0))
      invocation.out.note(`Sealed with ${id}: ${sealed.map(({ what, count }) => `${what} (${count})`).join(', ')}.`)
    return 'ok'
  },
})

function linesOf(invocation: Invocation, { master, servers, log }: Keys): readonly Line[] {
  const rows = master.map((key) => [
    key.id,
    stateOf(key),
    key.since === undefined ? '-' : relative(invocation, key.since),
    String(key.sealed.reduce((sum, { count }) => sum + count, 0)),
    `${key.servers} of ${servers}`,
  ])
  const ofLog = log.map(({ verifierKey, since, lastSize }) => [
    verifierKey,
    relative(invocation, since),
    lastSize === undefined ? 'signs' : String(lastSize),
  ])
  return [
    ...table(['KEY', 'STATE', 'SINCE', 'SEALED', 'SERVERS'], rows),
    '',
    ...table(['LOG KEY', 'SINCE', 'SIGNED UP TO'], ofLog),
  ]
}

function stateOf({ seals, until, unusedSince }: MasterKey): string {
  if (seals) return 'seals'
  if (unusedSince !== undefined) return 'not needed'
  return until === undefined ? 'given, not used yet' : 'opens, being replaced'
}
