/**
 * Our answers in the hands of another implementation of SCIM: it reads them by its own schemas, writes the requests, and
 * says what a filter finds and what a patch leaves. There is no library of a client alone to be had.
 */

import SCIMMY from 'scimmy'
import { expect, test, vi } from 'vitest'
import type { ScimWorld } from './support/scim.ts'
import { createScimWorld, groupSchema, pushGroup, pushUser } from './support/scim.ts'

vi.setConfig({ testTimeout: 120_000 })

type Json = Readonly<Record<string, unknown>>

const enterprise = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'

async function setUp() {
  const scene = await createScimWorld()
  const { okta } = scene
  const alice = await pushUser(okta, 'alice', { name: { givenName: 'Alice', familyName: 'Ng', formatted: 'Alice Ng' } })
  const bob = await pushUser(okta, 'bob', { active: false, displayName: 'Bob "the second"' })
  const carol = await pushUser(okta, 'carol', {
    emails: [
      { value: 'carol@example.com', type: 'work', primary: true },
      { value: 'carol@home.example', type: 'home' },
    ],
  })
  const group = await pushGroup(okta, 'platform', [alice, carol])
  return { ...scene, alice, bob, carol, group }
}

/** As the library understands it, without what it does not know: it throws for a value of another type, or a missing one. */
function read(kind: 'User' | 'Group', { world }: ScimWorld, body: Json): unknown {
  const schema = kind === 'User' ? SCIMMY.Schemas.User : SCIMMY.Schemas.Group
  return JSON.parse(JSON.stringify(new schema(body, 'out', `${world.server.url}/scim/v2/${kind}s`)))
}

const resourcesOf = async ({ okta }: ScimWorld, path: string): Promise<readonly Json[]> =>
  ((await okta.must('GET', path))['Resources'] ?? []) as readonly Json[]

test('people, groups and lists are read by another implementation as we mean them', async () => {
  const scene = await setUp()
  const { okta, group, carol } = scene
  SCIMMY.Schemas.User.extend(SCIMMY.Schemas.EnterpriseUser as never, false)
  for (const user of await resourcesOf(scene, '/Users')) expect(read('User', scene, user)).toEqual(user)
  const platform = await okta.must('GET', `/Groups/${group}`)
  expect(read('Group', scene, platform)).toEqual(platform)
  const managed = await okta.must('PATCH', `/Users/${carol}`, {
    schemas: ['urn:ietf:params:scim:api:messages:2.0:PatchOp'],
    Operations: [{ op: 'add', path: `${enterprise}:manager`, value: { value: scene.alice } }],
  })
  expect(managed[enterprise]).toMatchObject({ manager: { value: scene.alice } })
  const list = await okta.must('GET', '/Users?startIndex=1&count=2')
  const { startIndex, itemsPerPage, totalResults } = new SCIMMY.Messages.ListResponse(list as never)
  expect([startIndex, itemsPerPage, totalResults]).toEqual([1, 2, 3])
})

test('a refusal is an error message of the standard to another implementation', async () => {
  const { okta } = await setUp()
  const { status, body } = await okta.call('POST', '/Users', { body: { schemas: [groupSchema] } })
  // It throws what it reads.
  expect(() => new SCIMMY.Messages.ErrorResponse(body as never)).toThrow(
    expect.objectContaining({ status: String(status), scimType: body['scimType'], message: body['detail'] }),
  )
  expect([status, body['scimType']]).toEqual([400, 'invalidValue'])
})

// All in small letters: it knows of no text that may be written either way, as the standard has it of names and addresses.
test.each([
  'userName eq "alice@example.com"',
  'userName sw "c" or displayName co "second"',
  'active eq false',
  'not (active eq true)',
  'emails[type eq "home" and value ew ".example"]',
  'emails.value co "home"',
  'name pr and userName ne "bob@example.com"',
  'externalId eq "bob" and (userName pr or active eq true)',
  'userName gt "bob"',
  'userName le "bob@example.com"',
  'meta.created gt "2000-01-01T00:00:00Z"',
])('%s finds whom another implementation finds', async (filter) => {
  const scene = await setUp()
  const all = await resourcesOf(scene, '/Users')
  const theirs = new SCIMMY.Types.Filter(filter).match(all as never) as unknown as readonly Json[]
  const ours = await resourcesOf(scene, `/Users?filter=${encodeURIComponent(filter)}`)
  const idsOf = (resources: readonly Json[]) => resources.map(({ id }) => id).toSorted()
  expect(idsOf(ours)).toEqual(idsOf(theirs))
})

test.each<[string, readonly Json[]]>([
  ['replaces a value', [{ op: 'replace', path: 'displayName', value: 'Carol C.' }]],
  ['replaces several without a path', [{ op: 'replace', value: { displayName: 'C', active: false } }]],
  ['adds a part', [{ op: 'add', path: 'name.givenName', value: 'Carol' }]],
  [
    'changes one of several by what it is',
    [{ op: 'replace', path: 'emails[type eq "home"].value', value: 'c@x.example' }],
  ],
  ['takes out one of several', [{ op: 'remove', path: 'emails[type eq "home"]' }]],
  ['takes out a value', [{ op: 'remove', path: 'displayName' }]],
  [
    'does one after the other',
    [
      { op: 'remove', path: 'emails[type eq "home"]' },
      { op: 'add', path: 'emails', value: [{ value: 'new@home.example', type: 'home' }] },
    ],
  ],
])('a patch that %s leaves what it leaves in another implementation', async (_, operations) => {
  const scene = await setUp()
  const { okta, carol } = scene
  const before = await okta.must('GET', `/Users/${carol}`)
  const schemas = ['urn:ietf:params:scim:api:messages:2.0:PatchOp']
  const message = new SCIMMY.Messages.PatchOp({ schemas, Operations: operations } as never)
  let theirs: unknown = before
  await message.apply(new SCIMMY.Schemas.User(before as never, 'out') as never, async (patched: unknown) => {
    theirs = JSON.parse(JSON.stringify(patched))
    return patched as never
  })
  const ours = await okta.must('PATCH', `/Users/${carol}`, JSON.parse(JSON.stringify(message)))
  const plain = ({ meta: _meta, groups: _groups, ...rest }: Json): Json => rest
  expect(plain(ours)).toEqual(plain(theirs as Json))
})
