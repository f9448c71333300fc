/** `tidegate status` */

import type { Client, Output } from '@tidegate/api'
import { defineCommand } from '../command.ts'
import type { Invocation } from '../context.ts'
import type { Line } from '../output.ts'
import { bold, command, styled } from '../output.ts'
import { connectToServer } from '../server.ts'
import { timeWords } from '../words/grant.ts'
import type { Review } from '../words/review.ts'
import { reviewState } from '../words/review.ts'
import { when } from '../words/times.ts'

type Status = {
  readonly me: Output<'whoami'>
  readonly grants: readonly Output<'getGrant'>[]
  readonly requests: readonly Output<'getRequest'>[]
  readonly reviews: readonly Review[]
  /** Absent: not for the caller to see. */
  readonly findings?: readonly Output<'closeFinding'>[]
}

/** Of each list the newest: what is more is a command away. */
const most = 20

export const status = defineCommand({
  name: ['status'],
  summary: 'What you hold, what waits for you, and what wants to be looked at',
  details: ['Uses of break-glass that nobody has reviewed come first. Findings are for auditors and administrators.'],
  examples: [{ line: 'tidegate status', about: 'How things stand' }],
  run: async (invocation) => {
    const now = await read(await connectToServer(invocation))
    invocation.out.result(now, () => [
      ...now.reviews.flatMap((review) => brokenLines(invocation, review)),
      ...(now.findings ?? []).filter(({ kind }) => kind !== 'break-glass-used').map(findingLine),
      ...powerLines(invocation, now.me),
      ...now.grants.map((grant): Line => [bold(grant.role), ` ${grant.id}: ${timeWords(invocation, grant)}`]),
      ...(now.requests.length === 0
        ? []
        : [[`${now.requests.length} requests wait for your answer: `, command('tidegate requests --awaiting-me')]]),
      ...(isQuiet(now) ? ['You hold nothing, and nothing waits for you.'] : []),
    ])
    return 'ok'
  },
})

async function read(client: Client): Promise<Status> {
  const me = await client.whoami({})
  const isPerson = me.principal.startsWith('user:')
  const [grants, requests, reviews, findings] = await Promise.all([
    client.listGrants({ open: 'true', principal: me.principal, limit: most }),
    client.listRequests({ awaiting: 'me', limit: most }),
    isPerson ? client.listReviews({ open: 'true', limit: most }) : { items: [] },
    me.auditor ? client.listFindings({ open: 'true', limit: most }) : undefined,
  ])
  const lists = { grants: grants.items, requests: requests.items, reviews: reviews.items }
  return { me, ...lists, ...(findings && { findings: findings.items }) }
}

const brokenLines = (invocation: Invocation, review: Review): readonly Line[] => [
  [styled('red', 'Break-glass'), `: ${review.principal} for ${review.role}, `, reviewState(invocation, review)],
  ['  A reviewer closes it: ', command(`tidegate reviews close ${review.id} --comment "…"`)],
]

const severityStyles = { low: 'green', medium: 'yellow', high: 'red' } as const

const findingLine = ({ severity, message }: Output<'closeFinding'>): Line => [
  styled(severityStyles[severity], 'Finding'),
  `: ${message}`,
]

const powerLines = (invocation: Invocation, { administration }: Output<'whoami'>): readonly Line[] =>
  administration
    .filter(({ by }) => by !== 'grant')
    .map(({ role }): Line => [bold(role), ' standing: each use of it is told. Ask for it instead where there is time.'])
    .concat(administration.flatMap(({ role, until }) => (until ? [`${role} until ${when(invocation, until)}`] : [])))

const isQuiet = ({ me, grants, requests, reviews, findings = [] }: Status): boolean =>
  [me.administration, grants, requests, reviews, findings].every((list) => list.length === 0)
