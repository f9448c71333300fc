import { expect, test } from 'vitest'
import { people, problemsOf, shopFiles, snapshotOf, tokenHash } from '../testing/configuration.ts'

const provider = (more = ''): string => `
identity:
  providers:
    - id: okta
      issuer: https://okta.example
      clientId: tidegate
      clientSecret: env:OKTA_SECRET
      domains: [example.com]
${more}`

const scim = (tokens = 'a'): string => {
  const list = [...tokens].map((digit) => `{ hash: '${tokenHash(digit)}', expires: '2099-01-01T00:00:00Z' }`)
  return `  scim: [{ id: people, provider: okta, tokens: [${list.join(', ')}] }]`
}

const withPeople = (change: (text: string) => string, identity = provider()) => ({
  ...shopFiles,
  'people.yaml': change(people),
  'identity.yaml': identity,
})

const messages = (texts: Readonly<Record<string, string>>) => problemsOf(texts).map(({ message }) => message)

test('people of a provider’s domains and its groups need not be declared, and nobody else’s', () => {
  const members = (list: string) =>
    withPeople((text) => text.replace('[alice, service:ci,', `[${list}, alice, service:ci,`))
  expect(messages(members('group:okta/platform, frank@example.com'))).toEqual([])
  expect(messages(members('frank@elsewhere.example'))).toEqual(['There is no user frank@elsewhere.example.'])
  expect(messages(members('Frank@example.com'))).toEqual(['There is no user Frank@example.com.'])
  expect(messages(members('group:entra/platform'))).toEqual(['There is no group entra/platform.'])
  expect(messages({ ...members('group:people/platform'), 'identity.yaml': provider(scim()) })).toEqual([])
  expect(messages({ ...members('group:okta/platform'), 'identity.yaml': '' })).toEqual([
    'There is no group okta/platform.',
  ])
})

test.each<[what: string, identity: string, message: RegExp]>([
  [
    'a secret instead of a reference',
    provider().replace('env:OKTA_SECRET', 's3cret'),
    /Write a reference, env:NAME or file:PATH/,
  ],
  [
    'an issuer without TLS',
    provider().replace('https://okta.example', 'http://okta.example'),
    /Write the issuer as the provider calls itself/,
  ],
  [
    'an issuer with a query',
    provider().replace('https://okta.example', 'https://okta.example/?a=b'),
    /Write the issuer/,
  ],
  ['no domain', provider().replace('[example.com]', '[]'), /Too small/],
  ['a domain that is a pattern', provider().replace('[example.com]', "['*.example.com']"), /Write a domain/],
  [
    'a domain twice',
    provider().replace('[example.com]', '[example.com, example.com]'),
    /People of example.com sign in at okta already/,
  ],
  ['scopes without openid', provider('      scopes: [email]'), /Without openid nobody signs in/],
  [
    'a source of a provider that there is not',
    provider(scim().replace('provider: okta', 'provider: entra')),
    /There is no provider entra/,
  ],
  [
    'a source that is called as a provider',
    provider(scim().replace('id: people', 'id: okta')),
    /okta is the name of another/,
  ],
  ['a source without a token', provider(scim('')), /Without a token nothing is pushed/],
  ['a source with three tokens', provider(scim('abc')), /At most two/],
  ['a source with the token of a person', provider(scim('d')), /This token is declared twice/],
  ['a token of a source without an end', provider(scim().replace(/, expires: '[^']+'/, '')), /expected string/],
  ['a claim that is not known', provider('      claims: { mail: x }'), /[Uu]nrecognized key/],
])('%s is refused at its place', (_what, identity, message) => {
  const problems = problemsOf(withPeople((text) => text, identity))
  expect(problems).toHaveLength(1)
  expect(problems[0]).toMatchObject({
    field: expect.stringMatching(/^identity\.yaml:\d+:\d+$/),
    message: expect.stringMatching(message),
  })
})

test('who signs in as whom is said once: a subject, and an address of a provider’s domain', () => {
  const signIns = '{ id: dora, signIns: [{ provider: okta, subject: a }],'
  expect(messages(withPeople((text) => text.replace('{ id: dora,', signIns)))).toEqual([])
  expect(
    messages(
      withPeople((text) =>
        text.replace('{ id: dora,', `{ id: bob, signIns: [{ provider: okta, subject: a }] }\n  - ${signIns}`),
      ),
    ),
  ).toEqual(['This sign-in is declared twice.'])
  expect(messages(withPeople((text) => text.replace('{ id: dora,', '{ id: dora, email: Alice@example.com,')))).toEqual([
    'Alice@example.com is the address of two users: nobody could say who signs in.',
  ])
  expect(messages({ ...withPeople((text) => text.replace('{ id: dora,', signIns)), 'identity.yaml': '' })).toEqual([
    'There is no provider okta.',
  ])
})

test('identity stands in one file, and is nothing where nobody says anything', () => {
  expect(messages({ ...withPeople((text) => text), 'more.yaml': 'identity: {}' })).toEqual([
    'Identity stands in more than one file.',
  ])
  expect(snapshotOf(shopFiles).declared.identity).toEqual({
    providers: [],
    issuers: [],
    scim: [],
    sessions: { idle: 3_600_000, longest: 43_200_000 },
    firstFactor: 'sign-in',
  })
})
