/** `tidegate changes reject` */

import { defineCommand } from '../command.ts'
import type { Invocation } from '../context.ts'
import type { Exit } from '../exit-codes.ts'
import { connectToServer } from '../server.ts'
import { text } from '../values.ts'
import { changeOutcome } from '../words/plan.ts'

export const changesReject = defineCommand({
  name: ['changes', 'reject'],
  summary: 'Refuse a change that waits, or take back your own',
  arguments: { change: { value: text('CHANGE'), about: 'The id of the change.' } },
  examples: [{ line: 'tidegate changes reject chg_01j…', about: 'Refuse it' }],
  run: (invocation, { change: id }) => rejectChange(invocation, id),
})

export async function rejectChange(invocation: Invocation, id: string): Promise<Exit> {
  const client = await connectToServer(invocation)
  const change = await client.rejectChange({ id })
  invocation.out.result(change, () => changeOutcome(change))
  return 'ok'
}
