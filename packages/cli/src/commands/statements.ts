/** `tidegate statements` */

import { schemas } from '@tidegate/api'
import { defineCommand } from '../command.ts'
import { table } from '../output.ts'
import { allOption, ownerFilter } from '../own.ts'
import { collect, limitOption, printPage } from '../pages.ts'
import { connectToServer } from '../server.ts'
import { shorten } from '../terminal-text.ts'
import { choice, text } from '../values.ts'
import { relative } from '../words/times.ts'

export const statements = defineCommand({
  name: ['statements'],
  summary: 'Statements that a person has to approve: those that wait for you, your own, or everyone’s',
  details: ['A rule of a role may ask for the approval of one statement. Its client waits until someone answers.'],
  options: {
    mine: { about: 'Your own, the settled ones too.', conflicts: ['all'] },
    status: {
      about: 'Of your own or everyone’s: only with this status.',
      value: choice('STATUS', schemas.statementStatus.options),
    },
    session: { about: 'Only of this session.', value: text('SESSION') },
    all: allOption,
    limit: limitOption,
  },
  examples: [
    { line: 'tidegate statements', about: 'What waits for your answer' },
    { line: 'tidegate statements --mine', about: 'What became of your own' },
    { line: 'tidegate statements --all --status pending', about: 'All that is pending, for auditors' },
  ],
  run: async (invocation, { mine, status, session, all, limit }) => {
    const client = await connectToServer(invocation)
    const awaitsMe = !mine && !all
    const principal = mine ? await ownerFilter(client, false) : undefined
    const filter = { status, session, principal, awaiting: awaitsMe ? ('me' as const) : undefined }
    const page = await collect(limit, (paging) => client.listStatements({ ...filter, ...paging }))
    printPage(invocation, page, {
      empty: awaitsMe ? 'No statement waits for you.' : 'There are no such statements.',
      lines: (items) =>
        table(
          ['STATEMENT', 'WHO', 'ROLE', 'DATABASE', 'STATE', 'UNTIL', 'ABOUT'],
          items.map((one) => [
            one.id,
            one.principal,
            one.role,
            one.database,
            one.status,
            relative(invocation, one.settledAt ?? one.pendingUntil),
            shorten(one.about, 60),
          ]),
        ),
    })
    return 'ok'
  },
})
