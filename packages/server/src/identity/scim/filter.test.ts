import fc from 'fast-check'
import { expect, test } from 'vitest'
import { change } from '../../store/change.ts'
import { snapshotOf, shopFiles, tokenHash } from '../../testing/configuration.ts'
import { storeForTest } from '../../testing/store.ts'
import { bindFilter, matches } from './bound.ts'
import { ScimError } from './errors.ts'
import type { Filter } from './filter.ts'
import { parseFilter, parseTarget } from './filter.ts'
import { listUsers } from './list.ts'
import { userType } from './schema.ts'
import { createUser } from './users.ts'

const refusedFor = (work: () => unknown): string | undefined => {
  try {
    work()
    return undefined
  } catch (error) {
    if (error instanceof ScimError) return error.scimType
    throw error
  }
}

test('a filter is read with not before and, and before or, and brackets before all', () => {
  const compare = (name: string) => ({ kind: 'compare', path: { name }, op: 'eq', value: 'x' })
  const [a, b, c] = ['a', 'b', 'c'].map(compare)
  expect(parseFilter('a eq "x" or b eq "x" and c eq "x"')).toEqual({ kind: 'or', of: [a, { kind: 'and', of: [b, c] }] })
  expect(parseFilter('(a EQ "x" OR b eq "x") AND NOT (c eq "x")')).toEqual({
    kind: 'and',
    of: [
      { kind: 'or', of: [a, b] },
      { kind: 'not', of: c },
    ],
  })
})

test('names with a schema, values of every kind and the bracket of Entra ID are read', () => {
  const enterprise = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'
  expect(parseFilter(`${enterprise}:manager.value eq null`)).toMatchObject({
    path: { schema: enterprise, name: 'manager', sub: 'value' },
    value: null,
  })
  expect(parseFilter('a eq "quote \\" and \\u00e9 [x] (y)"')).toMatchObject({ value: 'quote " and é [x] (y)' })
  expect([parseFilter('a eq true'), parseFilter('a eq False'), parseFilter('a eq -1.5')]).toMatchObject([
    { value: true },
    { value: false },
    { value: -1.5 },
  ])
  expect(parseFilter('emails[type eq "work"].value eq "x"')).toMatchObject({
    kind: 'element',
    where: { kind: 'and', of: [{ path: { name: 'type' } }, { path: { name: 'value' } }] },
  })
  expect(parseTarget('emails[type eq "work"].value')).toMatchObject({ path: { name: 'emails', sub: 'value' } })
})

const nested = (depth: number): string => `${'('.repeat(depth)}a pr${')'.repeat(depth)}`
const several = (count: number): string => Array.from({ length: count }, () => 'a pr').join(' or ')

test.each<[what: string, filter: string]>([
  ['nothing', ''],
  ['a word', 'userName'],
  ['no operator', 'userName "x"'],
  ['an operator that there is not', 'userName is "x"'],
  ['a value without quotes', 'userName eq erin'],
  ['a quote that does not end', 'userName eq "erin'],
  ['a quote that does not end, with many lines in it', `userName eq "${'\n'.repeat(1_000)}`],
  ['an escape that JSON does not have', 'userName eq "\\q"'],
  ['a zero', 'userName eq "\\u0000"'],
  ['half a character', 'userName eq "\\ud800"'],
  ['a bracket that does not end', '(userName pr'],
  ['a bracket too many', 'userName pr)'],
  ['two that are not joined', 'userName pr active pr'],
  ['a name that is in every object, as an operator', 'userName pr constructor active pr'],
  ['brackets eleven deep', nested(11)],
  ['brackets a thousand deep', nested(1_000)],
  ['fifty-one comparisons', several(51)],
  ['ten thousand comparisons', several(10_000)],
  ['a bracket in a bracket', 'emails[value[type eq "x"] pr]'],
])('%s is no filter, and that is said at once', (_what, filter) => {
  expect(refusedFor(() => bindFilter(parseFilter(filter), userType))).toBe('invalidFilter')
})

test('ten brackets and fifty comparisons are', () => {
  expect([refusedFor(() => parseFilter(nested(10))), refusedFor(() => parseFilter(several(50)))]).toEqual([
    undefined,
    undefined,
  ])
})

test.each([
  'phoneNumbers eq "1"',
  '__proto__ pr',
  'constructor pr',
  'name eq "x"',
  'active gt true',
  'active eq "perhaps"',
  'userName eq 1',
  'userName gt null',
  'meta.created co "2026"',
  'meta.created gt "yesterday"',
  'userName[value eq "x"]',
])('what says nothing of an attribute is refused: %s', (filter) => {
  expect(refusedFor(() => bindFilter(parseFilter(filter), userType))).toBe('invalidFilter')
})

const now = Date.UTC(2026, 0, 20, 9)
const identity = `
identity:
  providers:
    - { id: okta, issuer: 'https://okta.example', clientId: x, clientSecret: env:X, domains: [example.com] }
  scim: [{ id: people, provider: okta, tokens: [{ hash: '${tokenHash('a')}', expires: '2099-01-01T00:00:00Z' }] }]
`

const words = ['a', 'b', 'ab', 'Ba', 'abc', 'x y', '100%', '_']
const word = fc.constantFrom(...words)
const maybe = <T>(one: fc.Arbitrary<T>) => fc.option(one, { nil: undefined })

const person = fc.record({
  displayName: maybe(word),
  active: fc.boolean(),
  name: maybe(fc.record({ formatted: maybe(word), familyName: maybe(word) })),
  emails: fc.array(
    fc.record({ value: word, type: maybe(fc.constantFrom('work', 'Home')), primary: maybe(fc.boolean()) }),
    {
      maxLength: 3,
    },
  ),
})

const op = fc.constantFrom('eq', 'ne', 'co', 'sw', 'ew', 'gt', 'ge', 'lt', 'le')
const quoted = word.map((text) => JSON.stringify(text))
const onText = (names: readonly string[]) =>
  fc.oneof(
    fc.tuple(fc.constantFrom(...names), op, quoted).map((parts) => parts.join(' ')),
    fc.tuple(fc.constantFrom(...names), fc.constantFrom('pr', 'eq null', 'ne null')).map((parts) => parts.join(' ')),
  )
const onFlag = (name: string) =>
  fc.tuple(fc.constantFrom('eq', 'ne'), fc.constantFrom('true', 'false')).map((parts) => `${name} ${parts.join(' ')}`)

const joined = (one: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.letrec<{ any: string }>((tie) => ({
    any: fc.oneof(
      { maxDepth: 2, withCrossShrink: true },
      one,
      fc.tuple(tie('any'), fc.constantFrom('and', 'or'), tie('any')).map((parts) => parts.join(' ')),
      tie('any').map((text) => `not (${text})`),
      tie('any').map((text) => `(${text})`),
    ),
  })).any

const element = fc
  .tuple(joined(fc.oneof(onText(['value', 'type']), onFlag('primary'))), maybe(onText(['value', 'TYPE'])))
  .map(([where, more]) => (more === undefined ? `emails[${where}]` : `emails[${where}].${more}`))

const filters = joined(
  fc.oneof(
    onText(['displayName', 'DISPLAYNAME', 'name.formatted', 'name.familyName', 'emails.type', 'emails', 'externalId']),
    onFlag('active'),
    fc.constantFrom(
      'name pr',
      'emails pr',
      'meta.created gt "2020-01-01T00:00:00Z"',
      'meta.created lt "2020-01-01T00:00:00Z"',
    ),
    element,
  ),
)

test('the store finds those of whom a filter holds, and nobody else', { timeout: 120_000 }, async () => {
  const runtime = { now: () => now as never, random: (count: number) => crypto.getRandomValues(new Uint8Array(count)) }
  const { db } = await storeForTest(runtime)
  const source = { id: 'people', snapshot: snapshotOf({ ...shopFiles, 'identity.yaml': identity }) }
  const provider = source.snapshot.declared.identity.providers[0]
  if (!provider) throw new Error('There is no provider.')
  const people = fc.sample(person, { numRuns: 60, seed: 7 })
  const known = new Map<string, Record<string, unknown>>()
  for (const [index, one] of people.entries()) {
    const body = {
      userName: `p${index}@example.com`,
      ...(index % 3 > 0 && { externalId: words[index % 8] + String(index) }),
      ...one,
    }
    const { row } = await change({ db, runtime }, (unit) => createUser(unit, { ...source, provider }, body))
    known.set(row.id, {
      ...row.document,
      externalId: row.externalId ?? undefined,
      meta: { created: new Date(now).toISOString() },
    })
  }
  const holdsOf = async (text: string): Promise<void> => {
    const bound = bindFilter(parseFilter(text), userType)
    const wanted = [...known]
      .filter(([, fields]) => matches(bound, fields))
      .map(([id]) => id)
      .toSorted()
    const page = await listUsers(db, { ...source, provider }, { filter: text, startIndex: 1, count: 200 })
    expect([page.total, page.rows.map(({ id }) => id)]).toEqual([wanted.length, wanted])
  }
  await fc.assert(fc.asyncProperty(filters, holdsOf), { numRuns: 300 })
  // Neither side says the same of everybody, or this would say nothing.
  const shares = await Promise.all(
    fc
      .sample(filters, { numRuns: 50, seed: 7 })
      .map(async (filter) => (await listUsers(db, { ...source, provider }, { filter, startIndex: 1, count: 0 })).total),
  )
  expect(shares.some((total) => total > 0 && total < known.size)).toBe(true)
})

test('any text is a filter or is refused as none', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        filters.map((text) => text.replaceAll(/[)"]/g, '')),
      ),
      (text) => {
        const read = (): Filter => parseFilter(text)
        expect([undefined, 'invalidFilter']).toContain(refusedFor(read))
      },
    ),
  )
})
