import { expect, test } from 'vitest'
import { statementOutcomes, type StatementStanding, statusAfter } from './outcomes.ts'
import { statementMayGo, statementStatuses, statementTransitions } from './transitions.ts'

const from = (status: string) => statementTransitions.filter((one) => one.from === status).map(({ to }) => to as string)

const standings: readonly StatementStanding[] = [
  ...statementStatuses.map((status) => ({ status, isApproved: status === 'approved' || status === 'run' })),
  { status: 'abandoned', isApproved: true },
]

test('every status is reached from pending, and none leads back to it', () => {
  const seen = new Set(['pending'])
  for (const status of seen) for (const next of from(status)) seen.add(next)
  expect([...seen].toSorted()).toEqual(statementStatuses.toSorted())
  expect(statementTransitions.map(({ to }) => to)).not.toContain('pending')
})

test('a statement goes where the table says, and nowhere else', () => {
  for (const a of statementStatuses)
    for (const b of statementStatuses) expect(statementMayGo(a, b)).toBe(from(a).includes(b))
})

test('what comes of a statement is a step of the table, or none', () => {
  for (const standing of standings)
    for (const outcome of statementOutcomes) {
      const next = statusAfter(standing, outcome)
      expect(next === undefined || next === standing.status || statementMayGo(standing.status, next)).toBe(true)
    }
})

test('a statement was run only if someone had approved it, and one that was run stays so', () => {
  for (const standing of standings) expect(statusAfter(standing, 'run')).toBe(standing.isApproved ? 'run' : undefined)
  for (const outcome of statementOutcomes) expect(statusAfter({ status: 'run', isApproved: true }, outcome)).toBe('run')
})

test('an approved statement that was not run is abandoned, and nobody but a person denies', () => {
  const rest = statementOutcomes.filter((one) => one !== 'run')
  for (const outcome of rest) expect(statusAfter({ status: 'approved', isApproved: true }, outcome)).toBe('abandoned')
  for (const standing of standings.filter(({ status }) => status !== 'denied'))
    for (const outcome of statementOutcomes) expect(statusAfter(standing, outcome)).not.toBe('denied')
})
