/** `tidegate changes show` */

import { defineCommand } from '../command.ts'
import { connectToServer } from '../server.ts'
import { text } from '../values.ts'
import { changeLines } from '../words/plan.ts'

export const changesShow = defineCommand({
  name: ['changes', 'show'],
  summary: 'One change, with its plan',
  arguments: { change: { value: text('CHANGE'), about: 'The id of the change.' } },
  examples: [{ line: 'tidegate changes show chg_01j…', about: 'Look before you approve' }],
  run: async (invocation, { change: id }) => {
    const client = await connectToServer(invocation)
    const change = await client.getChange({ id })
    invocation.out.result(change, () => changeLines(invocation, change))
    return 'ok'
  },
})
