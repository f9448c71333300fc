import { describe, expect, test } from 'vitest'
import type { Change, Question } from '../decision.ts'
import { hours } from '../time.ts'
import type { Answer } from './answer.ts'
import { decide } from './decide.ts'
import { agentFor, policiesOf, question, signal, user } from './fixtures.ts'
import { findRemedies } from './remedies.ts'

const permit = (condition: string, annotations = ''): string =>
  `@id("a") ${annotations} permit (principal, action, resource) when { ${condition} };`

function remediesOn(text: string, changes: Partial<Question> = {}): string[] {
  const decision = decide(policiesOf(text), question(changes), 'dec_a')
  return decision.outcome === 'deny' ? decision.remedies.map((remedy) => `${remedy.text} → ${remedy.outcome}`) : []
}

describe('one change that helps', () => {
  test.each([
    ['context has device && context.device.managed', 'Use a managed, compliant device.'],
    ['context has network && context.network.trusted', 'Connect from a trusted network.'],
    ['context has risk && context.risk.level == "low"', 'Have your risk level back at low.'],
    ['context has oncall && context.oncall.active', 'Be on call.'],
    ['context has ticket && context.ticket.open', 'Name an open ticket.'],
  ])('%s', (condition, text) => {
    expect(remediesOn(permit(condition))).toEqual([`${text} → permit`])
    expect(remediesOn(permit(condition, '@approvers("x")'))).toEqual([`${text} → approve`])
  })

  test('is the longest duration that helps, for the policy and for its condition', () => {
    const text = `
      @id("half") @max_duration("4h") permit (principal, action, resource) when { context.duration <= 7200 };
      @id("two") @max_duration("2h") permit (principal, action, resource);
      @id("one") permit (principal, action, resource);
      @id("not-mine") @max_duration("5h") permit (principal in Group::"others", action, resource);`
    expect(remediesOn(text, { duration: hours(6) })).toEqual(['Ask for at most 2h. → permit'])
  })

  test('lists what people can choose before what they cannot', () => {
    const any = ['oncall.active', 'device.managed', 'network.trusted', 'ticket.open'].map(
      (fact) => `(context has ${fact} && context.${fact})`,
    )
    expect(remediesOn(permit(any.join(' || ')))).toEqual([
      'Name an open ticket. → permit',
      'Use a managed, compliant device. → permit',
      'Connect from a trusted network. → permit',
      'Be on call. → permit',
    ])
  })

  test('keeps what else is known of the same fact', () => {
    const text = permit('context has network && context.network.trusted && context.network.country == "DE"')
    const signals = [signal('network', { trusted: false, country: 'DE' })]
    expect(remediesOn(text, { signals })).toEqual(['Connect from a trusted network. → permit'])
    expect(remediesOn(text)).toEqual([])
  })
})

describe('where no one change helps', () => {
  test('two are found, and both are needed', () => {
    const text = permit('context has device && context.device.managed && context.authentication.phishing_resistant')
    expect(remediesOn(text, { duration: hours(1) })).toEqual([
      'Use a managed, compliant device and sign in again with a passkey or security key. → permit',
    ])
  })

  test('more are found, and all are needed', () => {
    const text = permit(
      'context has device && context.device.managed && context has ticket && context.ticket.open && context.authentication.mfa',
    )
    expect(remediesOn(text, { duration: hours(2) })).toEqual([
      'Ask for at most 1h, name an open ticket, use a managed, compliant device and sign in again with a second factor. → permit',
    ])
  })

  test('and none is made up', () => {
    expect(remediesOn(permit('context has task'))).toEqual([])
    expect(remediesOn('@id("a") forbid (principal, action, resource);')).toEqual([])
  })
})

test('an agent is told what helps both', () => {
  const principal = agentFor(user('alice', 'people'), 'bots')
  const text = `
    @id("people") @max_duration("2h") permit (principal in Group::"people", action, resource);
    @id("bots") permit (principal in Group::"bots", action, resource);`
  expect(remediesOn(text, { principal, duration: hours(3) })).toEqual(['Ask for at most 1h. → permit'])
})

test('every remedy is minimal and does what it says, for any monotone answer', () => {
  const facts = (['device', 'network', 'risk', 'oncall'] as const).map((name): Change[] => [
    { fact: 'signal', name, value: {} },
  ])
  const all = facts.flat()
  for (let wanted = 1; wanted < 2 ** all.length; wanted++) {
    const needed = all.filter((_, i) => wanted & (2 ** i))
    const asks = (changes: readonly Change[]): Answer =>
      needed.every((change) => changes.includes(change))
        ? { yes: true, paths: [{ policies: ['a'], stages: [], maxDuration: hours(1) }], obligations: [] }
        : { yes: false, cause: 'no-policy', policies: [], reasons: [] }
    expect(findRemedies(asks, facts).map(({ changes }) => changes)).toEqual([needed])
  }
})
