/** `tidegate statements show` */

import { defineCommand } from '../command.ts'
import { connectToServer } from '../server.ts'
import { text } from '../values.ts'
import { answerLines, statementLines } from '../words/statement.ts'

export const statementsShow = defineCommand({
  name: ['statements', 'show'],
  summary: 'One statement: whose, where, by which rule, and, while it waits, all that it says',
  details: ['What a terminal would act on, or not show, stands there by its number, such as `<U+202E>`.'],
  arguments: { statement: { value: text('STATEMENT'), about: 'The id of the statement.' } },
  examples: [{ line: 'tidegate statements show stm_01j…', about: 'Look before you answer' }],
  run: async (invocation, { statement: id }) => {
    const client = await connectToServer(invocation)
    const statement = await client.getStatement({ id })
    invocation.out.result(statement, () => [
      ...statementLines(invocation, statement),
      ...(statement.status === 'pending' ? answerLines(statement) : []),
    ])
    return 'ok'
  },
})
