/** `tidegate statements approve` */

import { defineCommand } from '../command.ts'
import { isInteractive } from '../context.ts'
import { styled } from '../output.ts'
import { confirm } from '../prompt.ts'
import { connectToServer, retrying } from '../server.ts'
import { text } from '../values.ts'
import { statementLines } from '../words/statement.ts'

export const statementsApprove = defineCommand({
  name: ['statements', 'approve'],
  summary: 'Say yes to one statement: it is run once, as it was shown, if its client still waits',
  details: [
    'At a terminal the statement is shown first, and then asked about. Nobody answers about their own, and one person is enough.',
  ],
  arguments: { statement: { value: text('STATEMENT'), about: 'The id of the statement.' } },
  options: {
    comment: { about: 'Why; it goes on record.', value: text('TEXT') },
    yes: { about: 'Do not ask.' },
  },
  examples: [{ line: 'tidegate statements approve stm_01j…', about: 'See what it says, then approve it' }],
  run: async (invocation, { statement: id, comment, yes }) => {
    const client = await connectToServer(invocation)
    if (isInteractive(invocation) && !yes) {
      invocation.out.note(...statementLines(invocation, await client.getStatement({ id })))
      if (!(await confirm(invocation, 'Approve this statement?', { byDefault: false }))) {
        invocation.out.note('Nothing was done.')
        return 'refused'
      }
    }
    const statement = await retrying(invocation, () => client.approveStatement({ id, comment }))
    invocation.out.result(statement, () => [
      [
        styled('green', 'Approved'),
        `: statement ${statement.id} of ${statement.principal} is run, if its client still waits.`,
      ],
    ])
    return 'ok'
  },
})
