/** `tidegate changes approve` */

import { defineCommand } from '../command.ts'
import type { Invocation } from '../context.ts'
import { isInteractive } from '../context.ts'
import type { Exit } from '../exit-codes.ts'
import { confirm } from '../prompt.ts'
import { connectToServer } from '../server.ts'
import { text } from '../values.ts'
import { changeLines, changeOutcome } from '../words/plan.ts'

export const changesApprove = defineCommand({
  name: ['changes', 'approve'],
  summary: 'Apply a change that waits for a second person',
  details: ['At a terminal the plan is shown first, and then asked about.'],
  arguments: { change: { value: text('CHANGE'), about: 'The id of the change.' } },
  options: { yes: { about: 'Do not ask.' } },
  examples: [{ line: 'tidegate changes approve chg_01j…', about: 'See the plan, then approve it' }],
  run: (invocation, { change: id, yes }) => approveChange(invocation, { id, yes }),
})

export async function approveChange(
  invocation: Invocation,
  { id, yes }: { readonly id: string; readonly yes: boolean },
): Promise<Exit> {
  const client = await connectToServer(invocation)
  if (isInteractive(invocation) && !yes) {
    invocation.out.note(...changeLines(invocation, await client.getChange({ id })))
    if (!(await confirm(invocation, 'Approve this change?', { byDefault: false }))) {
      invocation.out.note('Nothing was done.')
      return 'refused'
    }
  }
  const change = await client.approveChange({ id })
  invocation.out.result(change, () => changeOutcome(change))
  return 'ok'
}
