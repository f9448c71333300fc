/** `tidegate survey` */

import { defineCommand } from '../command.ts'
import { table } from '../output.ts'
import { connectToServer } from '../server.ts'
import { text } from '../values.ts'
import { riskPart } from '../words/risk.ts'
import { relative } from '../words/times.ts'

export const survey = defineCommand({
  name: ['survey'],
  summary: 'Read the standing privileges on a target: what is held there without a grant',
  details: ['For administrators, auditors and owners of the resource. It reads and changes nothing.'],
  arguments: { resource: { value: text('RESOURCE'), about: 'The id of the resource.' } },
  examples: [{ line: 'tidegate survey orders-db', about: 'What stands open on orders-db' }],
  run: async (invocation, { resource }) => {
    const client = await connectToServer(invocation)
    const found = await client.surveyResource({ id: resource })
    invocation.out.result(found, () =>
      found.items.length === 0
        ? [`Nothing stands open on ${found.resource}.`]
        : table(
            ['HOLDER', 'RISK', 'KIND', 'WHAT', 'LOGIN', 'LAST SEEN'],
            found.items.map(({ holder, risk, kind, what, canLogin, lastSeenAt }) => [
              holder,
              riskPart(risk),
              kind,
              what,
              canLogin ? 'yes' : 'no',
              lastSeenAt === undefined ? 'not known' : relative(invocation, lastSeenAt),
            ]),
          ),
    )
    return 'ok'
  },
})
