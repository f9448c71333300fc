import { describe, expect, test } from 'vitest'
import type { Authentication } from '../decision.ts'
import { instant, minutes } from '../time.ts'
import { decide } from './decide.ts'
import { noon, policiesOf, question } from './fixtures.ts'

const text = `
@id("all") @approvers("leads") permit (principal, action, resource);
@id("key-to-approve") forbid (principal, action, resource)
when { context has approver && !(context.approver.phishing_resistant && context.approver.age <= 600) };
@id("code-to-connect") forbid (principal, action, resource)
when { context.step == "connect" && !context.authentication.mfa };`

const proof = (changes: Partial<Authentication>): Authentication => ({
  method: 'oidc',
  mfa: false,
  phishingResistant: false,
  at: noon,
  ...changes,
})

const set = policiesOf(text)
const outcome = (changes: Parameters<typeof question>[0]) => decide(set, question(changes), 'dec_a')

describe('a step', () => {
  test('is what a policy can be about', () => {
    expect(outcome({ step: 'request' }).outcome).toBe('approve')
    expect(outcome({ step: 'hold' }).outcome).toBe('approve')
    expect(outcome({ step: 'connect' })).toMatchObject({ outcome: 'step-up', need: 'mfa' })
    expect(outcome({ step: 'connect', authentication: proof({ mfa: true }) }).outcome).toBe('approve')
  })

  test('is told apart by a set of policies only where one of them mentions it', () => {
    expect(set.tellStepsApart).toBe(true)
    expect(policiesOf('@id("all") permit (principal, action, resource);').tellStepsApart).toBe(false)
  })
})

describe('while someone approves', () => {
  test('it is they who are asked for more, however well the requester proved who they are', () => {
    const authentication = proof({ mfa: true, phishingResistant: true })
    const answer = outcome({ step: 'approve', authentication, approver: proof({ mfa: true }) })
    expect(answer).toMatchObject({
      outcome: 'step-up',
      need: 'phishing-resistant',
      policies: ['all', 'key-to-approve'],
    })
  })

  test('theirs has an age of its own', () => {
    const at = (age: number) =>
      outcome({ step: 'approve', approver: proof({ phishingResistant: true, at: instant(noon - minutes(age)) }) })
    expect([at(10).outcome, at(11).outcome]).toEqual(['approve', 'step-up'])
  })

  test('what the requester lacks is no step-up: they are not there to do it', () => {
    const forRequesters = policiesOf(`
      @id("all") permit (principal, action, resource);
      @id("code") forbid (principal, action, resource) unless { context.authentication.mfa };`)
    const asked = question({ step: 'approve', approver: proof({ mfa: true, phishingResistant: true }) })
    expect(decide(forRequesters, asked, 'dec_a')).toMatchObject({ outcome: 'deny', remedies: [] })
  })

  test('a proof dated in the future is none', () => {
    expect(outcome({ step: 'approve', approver: proof({ at: instant(noon + 1) }) })).toMatchObject({
      cause: 'policy-error',
    })
  })
})
