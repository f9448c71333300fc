/**
 * The one question, asked of a thousand policies: over the index by scope, and without it. The same questions, of the
 * same set, in turn, with the same answers.
 */

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { connectorKinds } from '@tidegate/connectors'
import type { Decision, DecisionId, PolicySet, Question } from '@tidegate/core'
import { decide as ask, hours, instant, minutes, principalKey, unsliced } from '@tidegate/core'
import { parseConfiguration } from '../packages/server/src/configuration/parse.ts'
import type { Snapshot } from '../packages/server/src/configuration/snapshot.ts'
import { company, companyFiles, personName, resourceName, roleRisks } from './company.ts'
import type { Bench, Row } from './harness.ts'
import { fasterThan, figureOf, numbers, rowOf, timed, turned } from './harness.ts'

/** A Monday, 13:30 in Berlin: one time, one answer. */
const now = instant(Date.UTC(2026, 0, 5, 12, 30))
/** Tidegate itself. */
const builtInResources = 1
const id = 'dec_00000000000000000000000000' as DecisionId

export const decide: Bench = {
  name: 'decide',
  about: `${company.policies} policies, ${company.teams * company.resourcesOfTeam} resources: one decision`,
  async run({ rounds, quick, note }) {
    const count = rounds ?? (quick ? 100 : 1_500)
    const before = memory()
    const { result: snapshot, ms: loadMs } = await timed(async () => load())
    const after = memory()
    assert.equal(snapshot.policies.policies.length, company.policies)
    assert.equal(snapshot.resources.size, company.teams * company.resourcesOfTeam + builtInResources)
    note(`${count} questions, with and without the index in turn`)
    const found = compare(snapshot, count)
    const whole = rowOf('without the index', found.unsliced, 'µs')
    const wholeNo = rowOf('a "no" with remedies, without the index', found.noUnsliced, 'µs')
    return [
      whole,
      fasterThan(rowOf('with the index', found.sliced, 'µs'), whole, { atLeast: 8 }),
      fasterThan(rowOf('with the index, as questions come', found.coming, 'µs'), whole, { atLeast: 8 }),
      wholeNo,
      fasterThan(rowOf('a "no" with remedies, with the index', found.no, 'µs'), wholeNo),
      figureOf('loading all of it', loadMs, 'ms'),
      figureOf('memory: heap after loading', after.heapMb - before.heapMb, 'MB'),
      figureOf('memory: resident after loading, beyond before', after.rssMb - before.rssMb, 'MB'),
      figureOf('memory: resident after all questions, beyond before', memory().rssMb - before.rssMb, 'MB'),
    ] satisfies readonly Row[]
  },
}

function load(): Snapshot {
  const result = parseConfiguration(companyFiles(), { version: 1, kinds: connectorKinds })
  if (!result.ok) throw new Error(`The company cannot be read: ${JSON.stringify(result.problems.slice(0, 3))}`)
  return result.snapshot
}

type Found = Record<'sliced' | 'coming' | 'unsliced' | 'no' | 'noUnsliced', number[]>

/**
 * With the index each question is asked twice: as it comes, when its slice may have to be parsed or may be there from
 * an earlier one, and again, when it is there. Without it there is one slice, and it is always there.
 */
function compare(snapshot: Snapshot, count: number): Found {
  const questions = numbers(count).map((n) => questionOf(snapshot, n))
  const index = snapshot.policies
  const everything = unsliced(index)
  const found: Found = { sliced: [], coming: [], unsliced: [], no: [], noUnsliced: [] }
  for (const question of questions.slice(0, 50)) for (const set of [everything, index]) ask(set, question, id)
  for (const [round, question] of questions.entries()) {
    let [coming, again, whole] = [unasked, unasked, unasked]
    for (const side of turned(['index', 'everything'] as const, round)) {
      if (side === 'everything') whole = take(everything, question)
      else [coming, again] = [take(index, question), take(index, question)]
    }
    assert.deepEqual(again.decision, whole.decision)
    const no = again.decision?.outcome === 'deny' && again.decision.cause === 'no-policy'
    found[no ? 'no' : 'sliced'].push(again.us)
    found[no ? 'noUnsliced' : 'unsliced'].push(whole.us)
    if (!no) found.coming.push(coming.us)
  }
  return found
}

const unasked: Taken = { us: Number.NaN }

type Taken = { readonly decision?: Decision; readonly us: number }

function take(policies: PolicySet, question: Question): Taken {
  const begun = process.hrtime.bigint()
  const decision = ask(policies, question, id)
  return { decision, us: Number(process.hrtime.bigint() - begun) / 1_000 }
}

/** A number that looks like any other, the same in each run. */
const scattered = (n: number, what: string): number =>
  createHash('sha256').update(`${what} ${n}`).digest().readUInt32BE(0)

/** Mostly people asking for what is their team's; now and then for a neighbour's, or for what is not theirs at all. */
function questionOf(snapshot: Snapshot, n: number): Question {
  const pick = (what: string, of: number): number => scattered(n, what) % of
  const team = pick('team', company.teams)
  const whose = pick('whose', 10)
  const asked = whose < 7 ? team : whose < 9 ? (team + company.teams - 1) % company.teams : pick('other', company.teams)
  const person = snapshot.principals.get(`user:${personName(team, pick('person', company.peopleOfTeam))}`)
  const entry = snapshot.resources.get(resourceName(asked, pick('resource', company.resourcesOfTeam)))
  const names = Object.keys(roleRisks)
  const role = entry?.roles.get(names[pick('role', names.length)] ?? '')?.role
  if (!person || !entry || !role) throw new Error('The company lacks someone or something.')
  const ticket = pick('ticket', 2) === 0 ? `OPS-${pick('number', 1_000)}` : undefined
  const observed = {
    source: 'service:bench',
    observedAt: instant(now - minutes(2)),
    staleAt: instant(now + minutes(8)),
  }
  const subject = principalKey(person)
  return {
    principal: person,
    role,
    resource: entry.resource,
    duration: hours(1),
    now,
    timeZone: 'Europe/Berlin',
    authentication: { method: 'token', mfa: false, phishingResistant: false, at: now },
    step: 'request',
    signals: [
      { name: 'device', subject, value: { compliant: pick('device', 20) !== 0, managed: true }, ...observed },
      { name: 'oncall', subject, value: { active: pick('oncall', 3) === 0 }, ...observed },
      ...(ticket === undefined
        ? []
        : [{ name: 'ticket' as const, subject: `ticket:${ticket}`, value: { open: true }, ...observed }]),
    ],
    ...(ticket !== undefined && { ticket }),
  }
}

function memory(): { readonly heapMb: number; readonly rssMb: number } {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  const { heapUsed, rss } = process.memoryUsage()
  return { heapMb: heapUsed / 2 ** 20, rssMb: rss / 2 ** 20 }
}
