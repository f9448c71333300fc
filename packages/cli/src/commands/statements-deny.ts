/** `tidegate statements deny` */

import { defineCommand } from '../command.ts'
import { styled } from '../output.ts'
import { connectToServer, retrying } from '../server.ts'
import { text } from '../values.ts'

export const statementsDeny = defineCommand({
  name: ['statements', 'deny'],
  summary: 'Say no to one statement: it is refused, and its session goes on',
  arguments: { statement: { value: text('STATEMENT'), about: 'The id of the statement.' } },
  options: { comment: { about: 'Why; whoever waits reads it, and it goes on record.', value: text('TEXT') } },
  examples: [{ line: 'tidegate statements deny stm_01j… --comment "Cancel the order instead"', about: 'Deny' }],
  run: async (invocation, { statement: id, comment }) => {
    const client = await connectToServer(invocation)
    const statement = await retrying(invocation, () => client.denyStatement({ id, comment }))
    invocation.out.result(statement, () => [
      [styled('green', 'Denied'), `: statement ${statement.id} of ${statement.principal} is refused.`],
    ])
    return 'ok'
  },
})
