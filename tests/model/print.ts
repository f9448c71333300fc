/** For people. */

import type { Explored, Trace } from './explore.ts'
import type { Work, World } from './world.ts'
import { targetClock } from './world.ts'

export function printTrace({ start, steps }: Trace): string {
  const atFirst = factsOf(start).filter((fact) => !/\b(no|nothing|nobody)\b/.test(fact))
  const lines = [`   0 ${atFirst.join(' · ')}`, `       ${kindOf(start)}`]
  let before = start
  for (const [index, { by, label, to }] of steps.entries()) {
    const old = factsOf(before)
    const changed = factsOf(to).filter((fact) => !old.includes(fact))
    lines.push(`${String(index + 1).padStart(4)} ${by === 'fault' ? '⚡ ' : ''}${label}`)
    if (changed.length > 0) lines.push(`       → ${changed.join(' · ')}`)
    before = to
  }
  return lines.join('\n')
}

const kindOf = ({ waits, targetOffset }: World): string =>
  `when the target is unreachable it ${waits ? 'waits' : 'gives up'}; the target’s clock is off by ${targetOffset}`

function factsOf(world: World): string[] {
  const { clock, grant, dueAt, request, login, session, inFlight, known, work } = world
  const ends = grant.expiresAt === undefined ? '' : `, ends at ${grant.expiresAt}`
  const why = grant.end ? ` (${grant.end.reason})` : ''
  return [
    `clock ${clock}, the target’s ${targetClock(world)}`,
    `grant ${grant.state}${why}${ends}, attempt ${grant.attempt}, unsure ${grant.unsureAttempts}`,
    dueAt === undefined ? 'never due' : `due at ${dueAt}`,
    `request ${request.status}`,
    login
      ? `login with secret ${login.secret}${login.shut ? ', shut' : ''}, valid until ${login.until}${login.late ? `, late: ${login.late}` : ''}`
      : 'no login',
    session ? 'a session' : 'no session',
    inFlight.length > 0
      ? `in flight: ${inFlight.map(({ attempt }) => `open ${attempt}`).join(', ')}`
      : 'nothing in flight',
    known.length > 0 ? `the holder knows secret ${known.join(', ')}` : 'the holder knows no secret',
    work.length > 0 ? `at work: ${work.map(wordsOf).join(', ')}` : 'nobody at work',
  ]
}

function wordsOf(work: Work): string {
  if (work.task === 'set aside') return 'the reconciler (to set it aside)'
  if (work.task === 'tell') return `the target is being told its end (${work.at})`
  if (work.task === 'tend') return `tend (${work.at})`
  if (work.task === 'close') return `${work.by} closing (next: ${work.at})`
  const at = work.at === 'answered' ? `answered: ${work.answer}` : work.at
  return `attempt ${work.attempt} (${at})`
}

export function printExplored({ states, transitions, depth, windows, orphans, seen }: Explored): string {
  const counts = (of: ReadonlyMap<string, number>): string =>
    [...of].map(([name, count]) => `${name}: ${count}`).join('; ') || 'none'
  return [
    `${states} states, ${transitions} transitions, at most ${depth} steps away`,
    `  logins by the holder: ${counts(windows)}`,
    `  states with a login of an ended grant, by how it came: ${counts(orphans)}`,
    ...[...seen].map(([name, trace]) => `\nWorth knowing: ${name}\n${printTrace(trace)}`),
  ].join('\n')
}
