/** Configuration and policy files that are cut, garbled, shuffled or written to harm: a configuration, or problems by name. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { connectorKinds } from '@tidegate/connectors'
import { loadPolicies } from '@tidegate/core'
import { parseConfiguration } from '../packages/server/src/configuration/parse.ts'
import { policies } from './support/tidegate.ts'

const hash = `sha256:${'0'.repeat(64)}`

const yaml = `
settings: { administrators: tidegate-admins, auditors: security, timeZone: Europe/Berlin }
users:
  - { id: alice, manager: dora, tokens: [{ hash: '${hash}', expires: '2099-01-01T00:00:00Z' }] }
  - { id: dora, name: Dora }
services:
  - { id: ci, owner: dora, signals: [device] }
agents:
  - { id: helper, user: alice }
groups:
  - { id: engineers, members: [alice, service:ci, agent:helper] }
  - { id: team-leads, members: [dora] }
  - { id: tidegate-admins, members: [dora] }
  - { id: security, members: ['group:team-leads'] }
resources:
  - id: orders-db
    kind: postgres
    labels: { env: production, service: orders }
    owner: team-leads
    connection: { host: localhost, databases: [shop], user: admin, password: env:SECRET, tls: disable, owner: shop_owner }
    roles:
      - { name: readonly, risk: low, privileges: [{ schema: shop, tables: '*', privileges: [select] }] }
`

/** What parsers, stores and shells have choked on. */
const hostile = fc.constantFrom(
  '\u0000',
  '\ud800',
  '\u202e',
  '\ufeff',
  '\t',
  '\r\n',
  '&a [*a]',
  '*a',
  '<<: *a',
  '!!js/function x',
  '!!binary x',
  '---\n',
  '...\n',
  '__proto__',
  'constructor',
  '${env}',
  "'",
  '"',
  '`',
  '{',
  '}',
  '[',
  ']',
  ': ',
  '- ',
  '#',
  '//',
  '/*',
  '@',
  ';',
  '\\',
  '%',
  '0x7f',
  '.inf',
  '1e999',
  '9'.repeat(400),
  'x'.repeat(5_000),
  '['.repeat(3_000),
  '{a: '.repeat(2_000),
  "'; drop table access_grant; --",
  'permit (principal, action, resource);',
  'forbid (principal, action, resource);',
  '@approvals("-1")',
  '@max_duration("9999999d")',
  'when { context.ticket.open }',
  'unless { 9223372036854775807 + 1 > 0 }',
  'decimal("1")',
  'ip("::1")',
  'like "*"',
  '&&',
  '||',
  '!',
)

/** A text after some of the things that happen to texts. */
const harmed = (text: string): fc.Arbitrary<string> => {
  const place = fc.nat({ max: text.length })
  const edit = fc.oneof(
    fc.tuple(place, hostile).map(
      ([at, piece]) =>
        (now: string) =>
          now.slice(0, at) + piece + now.slice(at),
    ),
    fc.tuple(place, fc.nat({ max: 60 })).map(
      ([at, count]) =>
        (now: string) =>
          now.slice(0, at) + now.slice(at + count),
    ),
    fc.tuple(place, place).map(
      ([one, other]) =>
        (now: string) =>
          now.slice(one) + now.slice(0, other),
    ),
    fc.tuple(place, fc.string({ unit: 'binary', maxLength: 8 })).map(
      ([at, piece]) =>
        (now: string) =>
          now.slice(0, at) + piece + now.slice(at + piece.length),
    ),
    place.map((at) => (now: string) => now.slice(0, at)),
    fc
      .nat({ max: 40 })
      .map((line) => (now: string) => [...now.split('\n').slice(line), ...now.split('\n').slice(0, line)].join('\n')),
  )
  return fc.array(edit, { minLength: 1, maxLength: 4 }).map((edits) => edits.reduce((now, apply) => apply(now), text))
}

const runs = { numRuns: 150, endOnFailure: false }

test('harmed policies are policies that ask no more of anyone than they say, or problems with their place', () => {
  const property = fc.property(harmed(policies), (text) => {
    const loaded = loadPolicies([{ path: 'a.cedar', text }], { version: 'harmed' })
    if (loaded.ok) return
    expect(loaded.problems.length).toBeGreaterThan(0)
    for (const { message } of loaded.problems) expect(message).not.toBe('')
  })
  fc.assert(property, runs)
})

test('a harmed configuration is one, with administrators that are there, or problems with their file', () => {
  const property = fc.property(harmed(yaml), harmed(policies), (text, cedar) => {
    const files = [
      { path: 'a.yaml', text },
      { path: 'a.cedar', text: cedar },
    ]
    const parsed = parseConfiguration(files, { version: 1, kinds: connectorKinds })
    if (parsed.ok) {
      expect([...parsed.snapshot.principals.values()].every(({ id }) => id !== '')).toBe(true)
      return
    }
    expect(parsed.problems.length).toBeGreaterThan(0)
    for (const { message } of parsed.problems) expect(message).not.toMatch(/TypeError|RangeError|undefined is not/)
  })
  fc.assert(property, runs)
})

test('whatever a file is called, it is a file or a problem', () => {
  const name = fc.oneof(
    hostile,
    fc.string({ unit: 'binary', maxLength: 20 }),
    fc.constantFrom('../a.yaml', '/etc/passwd', 'a.yaml', 'A.YAML', 'con.yaml', ''),
  )
  const property = fc.property(fc.array(name, { maxLength: 4 }), (names) => {
    const parsed = parseConfiguration(
      names.map((path) => ({ path, text: 'users: []' })),
      { version: 1, kinds: connectorKinds },
    )
    if (!parsed.ok) expect(parsed.problems.length).toBeGreaterThan(0)
  })
  fc.assert(property, runs)
})

test('what it begins from is sound', () => {
  const files = [
    { path: 'a.yaml', text: yaml },
    { path: 'a.cedar', text: policies },
  ]
  expect(parseConfiguration(files, { version: 1, kinds: connectorKinds })).toMatchObject({ ok: true })
})
