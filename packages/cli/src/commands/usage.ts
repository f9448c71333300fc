/** `tidegate usage` */

import type { Output } from '@tidegate/api'
import { gatewayLimits } from '@tidegate/api'
import { defineCommand } from '../command.ts'
import type { Line } from '../output.ts'
import { bold, counted, dim, styled } from '../output.ts'
import { connectToServer } from '../server.ts'
import { role, text, wholeNumber } from '../values.ts'

export const usage = defineCommand({
  name: ['usage'],
  summary: 'What roles gave, and what of it was never used',
  details: [
    'For auditors; for others, of roles on resources that their groups own. Only sessions through a gateway, by a role with a guard, say what they used. Of all others nothing is known, which is not the same as unused: they are counted beside.',
  ],
  options: {
    role: { about: 'Only this role.', value: role },
    resource: { about: 'Only roles on this resource.', value: text('RESOURCE') },
    days: {
      about: 'Over so many days.',
      value: wholeNumber('N', { min: 1, max: gatewayLimits.usageDaysMax }),
      default: String(gatewayLimits.usageDays),
    },
  },
  examples: [{ line: 'tidegate usage --role orders-db/writer --days 30', about: 'What of a role could be left out' }],
  run: async (invocation, filter) => {
    const client = await connectToServer(invocation)
    const answer = await client.roleUsage(filter)
    invocation.out.result(answer, () => answer.items.flatMap(roleLines))
    if (answer.items.length === 0) invocation.out.note('There are no such roles.')
    return 'ok'
  },
})

type Item = Output<'roleUsage'>['items'][number]

const roleLines = (item: Item): readonly Line[] => [bold(item.role), `  ${countWords(item)}`, ...comparedLines(item)]

/** With what it is out of, so that nobody takes silence for disuse. */
function countWords({ grants, sessions, counted: told, withoutData, incomplete }: Item): string {
  const some = incomplete === 0 ? '' : `, ${incomplete} of them used more than there was room to tell`
  const silent = withoutData === 0 ? '' : `; of ${withoutData} nothing is known`
  return `${counted(grants, 'grant', 'grants')}, ${counted(sessions, 'session', 'sessions')}, ${told} counted${some}${silent}`
}

function comparedLines({ counted: told, comparison }: Item): readonly Line[] {
  if (told === 0) return [dim('  no data: nothing can be said of what was used')]
  if (comparison === undefined) return [dim('  what it gives is not told apart')]
  const { unused, narrower, elsewhere } = comparison
  const lines: readonly Line[] = [
    ...Object.entries(unused).map(([name, privileges]): Line => [
      styled('yellow', '  never used  '),
      `${privileges.join(', ')} on ${name}`,
    ]),
    ...Object.entries(narrower)
      .filter(([, tables]) => tables.length > 0)
      .map(([name, tables]): Line => [dim('  of '), `${name} only ${tables.join(', ')}`]),
    ...(elsewhere.length > 0 ? [[dim('  also used   '), elsewhere.join(', ')] as Line] : []),
  ]
  return lines.length > 0 ? lines : ['  all of it was used']
}
