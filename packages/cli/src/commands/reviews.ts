/** `tidegate reviews` */

import { defineCommand } from '../command.ts'
import { table } from '../output.ts'
import { collect, limitOption, printPage } from '../pages.ts'
import { connectToServer } from '../server.ts'
import { reviewState } from '../words/review.ts'
import { relative } from '../words/times.ts'

export const reviews = defineCommand({
  name: ['reviews'],
  summary: 'Uses of break-glass that wait for a review',
  details: ['Your own; all of them for reviewers, for those who are told, for auditors and administrators.'],
  options: { all: { about: 'The closed ones too.' }, limit: limitOption },
  examples: [{ line: 'tidegate reviews', about: 'What is open' }],
  run: async (invocation, { all, limit }) => {
    const client = await connectToServer(invocation)
    const open = all ? undefined : ('true' as const)
    const page = await collect(limit, (paging) => client.listReviews({ open, ...paging }))
    printPage(invocation, page, {
      empty: 'There is nothing to review.',
      lines: (items) =>
        table(
          ['REVIEW', 'WHO', 'ROLE', 'USED', 'STATE', 'REASON'],
          items.map((review) => [
            review.id,
            review.principal,
            review.role,
            relative(invocation, review.usedAt),
            reviewState(invocation, review),
            review.reason,
          ]),
        ),
    })
    return 'ok'
  },
})
