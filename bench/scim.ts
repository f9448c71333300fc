/**
 * A directory pushed by SCIM, as an identity provider does at its first sync and at every later one, beside the same rows
 * inserted bare in as many transactions; and leavers, from the sending of `active: false` to the last byte on their
 * session, beside the least SQL that closes a login by hand.
 */

import { createHash, randomBytes } from 'node:crypto'
import { closeByHand, holdSession, moment, openByHand, openThroughTidegate } from './access.ts'
import type { Bench, BenchOptions, Row } from './harness.ts'
import { against, figureOf, inParallel, medianOf, numbers, rowOf, timed } from './harness.ts'
import { entryColumns, insertLeft } from './left-rows.ts'
import type { Stand } from './stand.ts'
import { setUp } from './stand.ts'

/** Requests of a source under way at once. */
const width = 8
const groupSize = 10

const token = `tdg_${randomBytes(32).toString('base64url')}`
const hash = createHash('sha256').update(token).digest('hex')

/** Nobody signs in at it, and nothing asks it. */
const identity = `
identity:
  providers: [{ id: idp, issuer: 'https://idp.example', clientId: bench, clientSecret: env:NONE, domains: [example.com] }]
  scim: [{ id: people, provider: idp, tokens: [{ hash: 'sha256:${hash}', expires: '2099-01-01T00:00:00Z' }] }]
`

export const scim: Bench = {
  name: 'scim',
  about: 'a directory pushed by SCIM, and leavers',
  runs: 'named',
  async run(options) {
    const stand = await setUp(options, undefined, (resource) => `${resource}\n${identity}`)
    try {
      return [...(await syncing(stand, options)), ...(await leaving(stand, options))]
    } finally {
      await stand.close()
    }
  },
}

type Push = (method: 'POST' | 'PUT' | 'PATCH', path: string, body: object) => Promise<{ readonly id?: string }>

const pusherOf =
  ({ server }: Stand): Push =>
  async (method, path, body) => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/scim+json' }
    const sent: RequestInit = { method, headers, body: JSON.stringify(body) }
    const answer = await fetch(`${server.url}/scim/v2${path}`, sent)
    const text = await answer.text()
    if (!answer.ok) throw new Error(`${method} ${path} was answered with ${answer.status}: ${text}`)
    return text === '' ? {} : (JSON.parse(text) as { id: string })
  }

const userOf = (name: string) => ({
  userName: `${name}@example.com`,
  externalId: name,
  displayName: `Person ${name}`,
  name: { givenName: 'Person', familyName: name },
  emails: [{ value: `${name}@example.com`, type: 'work', primary: true }],
  active: true,
})

async function syncing(stand: Stand, { quick, note }: BenchOptions): Promise<readonly Row[]> {
  const [people, groups] = quick ? [500, 50] : [10_000, 1_000]
  const push = pusherOf(stand)
  const perSecond = (count: number, ms: number): number[] => [(count * 1_000) / ms]
  const before = (await stand.server.rssMb()) ?? Number.NaN
  note(`${people} people`)
  const pushed = await timed(() =>
    inParallel(numbers(people), width, async (i) => (await push('POST', '/Users', userOf(`p${i}`))).id ?? ''),
  )
  const ids = pushed.result
  const membersOf = (group: number) => numbers(groupSize).map((i) => ({ value: ids[(group * groupSize + i) % people] }))
  note(`${groups} groups of ${groupSize}`)
  const grouped = await timed(() =>
    inParallel(numbers(groups), width, (i) =>
      push('POST', '/Groups', { displayName: `group ${i}`, members: membersOf(i) }),
    ),
  )
  note('one group of a thousand, emptied and filled by one patch each')
  const whole = await push('POST', '/Groups', { displayName: 'everyone', members: [] })
  const thousand = ids.slice(0, 1_000).map((value) => ({ value }))
  const patches: number[] = []
  for (const _ of numbers(10)) {
    for (const value of [thousand, []]) {
      const body = { Operations: [{ op: 'replace', path: 'members', value }] }
      patches.push((await timed(() => push('PATCH', `/Groups/${whole.id}`, body))).ms)
    }
  }
  note('the same people again, of whom nothing has changed')
  const again = await timed(() => inParallel(ids, width, (id, i) => push('PUT', `/Users/${id}`, userOf(`p${i}`))))
  const after = (await stand.server.rssMb()) ?? Number.NaN
  note('the same rows, bare')
  const { ms: bareMs } = await insertLeft(stand.store, { database: 'bare_scim', query: leftOf, width })
  const bare = medianOf(
    'bare inserts of what is left of a person, log included: people',
    perSecond(people, bareMs),
    'per s',
  )
  return [
    bare,
    against(medianOf('pushed: people', perSecond(people, pushed.ms), 'per s'), bare),
    medianOf(`pushed: groups with ${groupSize} members`, perSecond(groups, grouped.ms), 'per s'),
    figureOf(`the whole sync of ${people} people in ${groups} groups`, pushed.ms + grouped.ms, 'ms'),
    medianOf('pushed again, unchanged: people', perSecond(people, again.ms), 'per s'),
    rowOf('a patch that adds or removes a thousand members', patches),
    figureOf('memory of the server before', before, 'MB'),
    figureOf('memory of the server after', after, 'MB'),
  ]
}

/** What is left of a person: their rows, and the entry that tells of it. */
const leftOf = `
  select json_build_array(d)::text as directory_user, json_build_array(s)::text as scim_user, ${entryColumns('e')}
  from scim_user s
  join directory_user d on d.id = s.user_id
  join audit_disclosure a on a.subject = 'user:' || d.id
  join audit_entry e on e.id = a.entry and e.type = 'directory.user-changed'`

/** Engineers are known to the source by their addresses; each in turn leaves, and comes back. */
async function leaving(stand: Stand, { rounds, quick, note }: BenchOptions): Promise<readonly Row[]> {
  const count = rounds ?? (quick ? 10 : 200)
  note(`${count} leavers, one after the other`)
  const push = pusherOf(stand)
  const ids = await inParallel(stand.people, 1, (_client, i) => push('POST', '/Users', userOf(`engineer-${i}`)))
  const active = (i: number, value: boolean) =>
    push('PATCH', `/Users/${ids[i]?.id}`, { Operations: [{ op: 'replace', value: { active: value } }] })
  const superuser = await stand.connectTarget()
  const byHand: number[] = []
  const answered: number[] = []
  const cut: number[] = []
  for (const round of numbers(count)) {
    const i = round % stand.people.length
    const opened = await openThroughTidegate(stand.people[i] ?? stand.alice, '1h')
    const session = await holdSession(opened.login)
    const sent = moment()
    await active(i, false)
    answered.push(moment().ms - sent.ms)
    cut.push((await session.cut).ms - sent.ms)
    await active(i, true)
    const login = await openByHand(superuser, stand)
    const held = await holdSession(login)
    const called = moment()
    await closeByHand(superuser, login.user)
    byHand.push((await held.cut).ms - called.ms)
  }
  const bare = rowOf('by hand, when called', byHand)
  return [
    bare,
    against(rowOf('active: false to the last byte of the last session', cut), bare),
    rowOf('active: false to its answer', answered),
  ]
}
