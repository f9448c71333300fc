import { instant } from '@tidegate/core'
import { expect, test } from 'vitest'
import { configurationFile } from '../../configuration/schema.ts'
import type { Claims } from './claims.ts'
import { readClaims } from './claims.ts'

const now = instant(Date.UTC(2026, 0, 20, 9))

const providerWith = (more: object = {}) => {
  const provider = {
    id: 'okta',
    issuer: 'https://okta.example',
    clientId: 'x',
    clientSecret: 'env:X',
    domains: ['example.com'],
  }
  const { identity } = configurationFile.parse({ identity: { providers: [{ ...provider, ...more }] } })
  return identity!.providers[0]!
}

const read = (claims: Claims, more: object = {}) => readClaims(providerWith(more), { sub: 'erin', ...claims }, now)

test('a sign-in that says nothing of it proves no second factor, nothing that resists phishing, and is as old as can be', () => {
  expect(read({})).toEqual({
    subject: 'erin',
    authentication: { method: 'oidc', mfa: false, phishingResistant: false, at: 0 },
  })
})

test.each<[claims: Claims, mfa: boolean, phishingResistant: boolean]>([
  [{ amr: ['pwd', 'mfa'] }, true, false],
  [{ amr: ['pwd', 'otp'] }, false, false],
  [{ amr: 'mfa' }, false, false],
  [{ acr: 'phr' }, false, true],
  [{ acr: 'phrh', amr: ['mfa'] }, true, true],
  [{ acr: ['phr'] }, false, false],
])('of %o it is believed what configuration says of it', (claims, mfa, phishingResistant) => {
  expect(read(claims).authentication).toMatchObject({ mfa, phishingResistant })
})

test('what configuration takes for a proof is its own to say', () => {
  const more = { mfa: { amr: ['otp'], acr: ['urn:two'] }, phishingResistant: { amr: ['hwk'] } }
  expect(read({ amr: ['mfa'], acr: 'phr' }, more).authentication).toMatchObject({
    mfa: false,
    phishingResistant: false,
  })
  expect(read({ amr: ['otp', 'hwk'] }, more).authentication).toMatchObject({ mfa: true, phishingResistant: true })
  expect(read({ acr: 'urn:two' }, more).authentication.mfa).toBe(true)
})

test.each([
  [now / 1_000 - 60, now - 60_000],
  [now / 1_000 + 60, now],
  [-1, 0],
  [1.5, 0],
  ['1768899600', 0],
  [Number.MAX_SAFE_INTEGER, now],
])('an auth_time of %o is never in the future, and one that is none is the beginning of time', (said, at) => {
  expect(read({ auth_time: said }).authentication.at).toBe(at)
})

test.each<[claims: Claims, email: string | undefined]>([
  [{ email: 'Erin@Example.COM', email_verified: true }, 'erin@example.com'],
  [{ email: 'erin@example.com', email_verified: 'true' }, undefined],
  [{ email: 'erin@example.com' }, undefined],
  [{ email: 'erin@evil.example', email_verified: true }, undefined],
  [{ email: 'erin@sub.example.com', email_verified: true }, undefined],
  [{ email: 'a@evil.example@example.com', email_verified: true }, undefined],
  [{ email: 'erin@example.com ', email_verified: true }, undefined],
])('of %o the address is %s', (claims, email) => {
  expect(read(claims).email).toBe(email)
})

test('groups are a list of names where configuration asks for them, and none where the claim is anything else', () => {
  const more = { claims: { groups: 'roles' } }
  expect(read({ roles: ['a', 'a', 'b c'] }, more).groups).toEqual(['a', 'b c'])
  expect(read({ roles: ['', 'x\ny', 7, null, 'x'.repeat(201), 'fine'] }, more).groups).toEqual(['fine'])
  for (const roles of [undefined, 'a,b', { a: 1 }, null]) expect(read({ roles }, more).groups).toEqual([])
  expect(read({ roles: ['a'] })).not.toHaveProperty('groups')
})
