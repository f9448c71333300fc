import { expect, test } from 'vitest'
import { people, problemsOf, shopFiles, snapshotOf } from '../testing/configuration.ts'

const github = `{ id: github, platform: github-actions, issuer: 'https://token.actions.githubusercontent.com' }`
const rule = `{ issuer: github, audience: 'https://tidegate.example', claims: { repository_id: 71, environment: production } }`

const files = ({ issuers = github, service = `trust: [${rule}]`, agents = '' }) => ({
  ...shopFiles,
  'people.yaml': people
    .replace('- { id: ci, owner: dora, signals: [ticket] }', `- { id: ci, owner: dora, ${service} }`)
    .replace('- { id: helper, user: alice }', `- { id: helper, user: alice }\n${agents}`),
  'identity.yaml': `identity: { issuers: [${issuers}] }`,
})

const problems = (parts: Parameters<typeof files>[0]) =>
  problemsOf(files(parts)).map(({ message, remedy }) => `${message} ${remedy ?? ''}`)

const claims = (text: string) => `trust: [${rule.replace('repository_id: 71, environment: production', text)}]`

test('a rule on ids loads; a number is the id that it reads as', () => {
  const { declared } = snapshotOf(files({}))
  expect(declared.services[0]?.trust).toMatchObject([
    { issuer: 'github', claims: { repository_id: '71', environment: 'production' }, lasts: 15 * 60_000 },
  ])
})

test.each<[what: string, parts: Parameters<typeof files>[0], problem: RegExp]>([
  [
    'the name of a repository',
    { service: claims('repository_id: 71, repository: octo/app') },
    /only a name.*repository_id/,
  ],
  ['a name alone', { service: claims('repository: octo/app') }, /never gives to another.*repository_id/],
  [
    'the subject of GitHub, which is made of names',
    { service: claims("sub: 'repo:octo/app:environment:prod'") },
    /only a name/,
  ],
  ['a pattern', { service: claims("repository_id: 71, ref: 'refs/heads/*'") }, /a pattern would match nothing/],
  ['an id that is none', { service: claims('repository_id: octo') }, /does not look so/],
  ['no claim', { service: claims('') }, /never gives to another/],
  ['no audience', { service: `trust: [${rule.replace("audience: 'https://tidegate.example', ", '')}]` }, /audience/],
  [
    'the audience of somebody else',
    { service: `trust: [${rule.replace('https://tidegate.example', 'sts.amazonaws.com')}]` },
    /shown to somebody else/,
  ],
  [
    'an issuer that is not there',
    { service: `trust: [${rule.replace('issuer: github', 'issuer: gitlab')}]` },
    /There is no issuer gitlab/,
  ],
  ['a longer login than there is', { service: `trust: [${rule.replace(' }', ' }, lasts: 7h')}]` }, /6h or less/],
  [
    'another platform for GitHub',
    { issuers: github.replace('github-actions', 'other') },
    /is GitHub Actions.*platform: github-actions/,
  ],
  ['an issuer twice', { issuers: `${github}, ${github.replace('id: github', 'id: again')}` }, /is github already/],
  ['an issuer without TLS', { issuers: github.replace('https://token', 'http://token') }, /Write the issuer/],
  [
    'a trust domain without keys',
    { issuers: `${github}, { id: mesh, platform: spiffe, issuer: 'spiffe://example.org' }` },
    /does not say where its keys are/,
  ],
  [
    'a run of what has none',
    {
      issuers: `{ id: github, platform: other, issuer: 'https://issuer.example' }`,
      service: `trust: [{ issuer: github, audience: x, claims: { sub: a }, boundTo: run }]`,
    },
    /do not say which run/,
  ],
  [
    'a private key',
    { service: `keys: [{ jwk: { kty: OKP, crv: Ed25519, x: aa, d: bb }, expires: '2099-01-01T00:00:00Z' }]` },
    /private or secret key/,
  ],
  [
    'a shared key',
    { service: `keys: [{ jwk: { kty: oct, k: bb }, expires: '2099-01-01T00:00:00Z' }]` },
    /private or secret key/,
  ],
  [
    'a key without its fields',
    { service: `keys: [{ jwk: { kty: EC, crv: P-256, x: aa }, expires: '2099-01-01T00:00:00Z' }]` },
    /no public key/,
  ],
  ['secrets for longer than a year', { service: 'secrets: { longest: 400d }' }, /a year at most/],
  ['an agent for two', { agents: '  - { id: two, user: alice, service: ci }' }, /exactly one/],
  ['an agent for nobody', { agents: '  - { id: two }' }, /exactly one/],
  ['an agent for an agent that is not there', { agents: '  - { id: two, agent: nobody }' }, /There is no agent nobody/],
  ['agents in a circle', { agents: '  - { id: a, agent: b }\n  - { id: b, agent: a }' }, /in a circle/],
  [
    'four agents in a row',
    { agents: '  - { id: a, agent: helper }\n  - { id: b, agent: a }\n  - { id: c, agent: b }' },
    /More than 3/,
  ],
])('%s is refused at its place, with what to write instead', (_what, parts, problem) => {
  expect(problems(parts).join('\n')).toMatch(problem)
})

test('three agents in a row load, whatever order they are written in', () => {
  const { principals } = snapshotOf(files({ agents: '  - { id: b, agent: a }\n  - { id: a, agent: helper }' }))
  expect(principals.get('agent:b')).toMatchObject({
    actsFor: { id: 'a', actsFor: { id: 'helper', actsFor: { id: 'alice' } } },
  })
})
