/** A source that sends several requests about the same at once: each is answered, none with a fault, and none is lost. */

import pg from 'pg'
import { expect, onTestFinished, test, vi } from 'vitest'
import type { Pushed, ScimWorld } from './support/scim.ts'
import { createScimWorld, patchOf, pushGroup, pushUser, userOf } from './support/scim.ts'
import { inStore } from './support/story.ts'

vi.setConfig({ testTimeout: 120_000 })

const people = Array.from({ length: 12 }, (_, i) => `p${i}`)

const pushAll = ({ okta }: ScimWorld): Promise<string[]> => Promise.all(people.map((name) => pushUser(okta, name)))

const patch = ({ okta }: ScimWorld, group: string, operation: Readonly<Record<string, unknown>>): Promise<Pushed> =>
  okta.call('PATCH', `/Groups/${group}`, { body: patchOf(operation) })

const add = (...ids: readonly string[]) => ({ op: 'add', path: 'members', value: ids.map((value) => ({ value })) })
const remove = (id: string) => ({ op: 'remove', path: `members[value eq "${id}"]` })

const faults = (answers: readonly Pushed[]): string[] =>
  answers.filter(({ status }) => status >= 500).map(({ text }) => text)

const membersIn = async ({ world }: ScimWorld, group: string): Promise<string[]> => {
  const rows = await inStore(
    world.store,
    `select u.id from directory_membership m join scim_user u on 'user:' || u.user_id = m.member
     join scim_group g on g.group_id = m.group_id where g.id = '${group}'`,
  )
  return rows.map(({ id }) => String(id))
}

test('of many who put someone into the same group at once, and take someone out, nobody undoes what another did', async () => {
  const scene = await createScimWorld()
  const ids = await pushAll(scene)
  const [leaving, coming] = [ids.slice(0, 6), ids.slice(6)]
  const group = await pushGroup(scene.okta, 'platform', leaving)
  const answers = await Promise.all([
    ...leaving.map((id) => patch(scene, group, remove(id))),
    ...coming.map((id) => patch(scene, group, add(id))),
  ])
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 204))
  expect((await membersIn(scene, group)).toSorted()).toEqual(coming.toSorted())
})

test('groups that get each other as members, are renamed and sent whole at once are all served', async () => {
  const scene = await createScimWorld()
  const ids = await pushAll(scene)
  const groups = await Promise.all(['red', 'green', 'blue'].map((name) => pushGroup(scene.okta, name, ids)))
  const answers: Pushed[] = []
  for (let round = 0; round < 5; round++) {
    const asked = groups.flatMap((group, i) => {
      const others = groups.filter((other) => other !== group)
      const whole = { displayName: `name ${i} ${round}`, members: ids.slice(round).map((value) => ({ value })) }
      return [
        patch(scene, group, add(...others)),
        patch(scene, group, remove(others[0] ?? '')),
        patch(scene, group, { op: 'replace', value: { displayName: `other ${i} ${round}` } }),
        scene.okta.call('PUT', `/Groups/${group}`, { body: whole }),
      ]
    })
    answers.push(...(await Promise.all(asked)))
  }
  expect(faults(answers)).toEqual([])
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 204]))
})

test('people who are changed, removed and created again while groups get and lose them: no fault, and nobody is left in a group who is gone', async () => {
  const scene = await createScimWorld()
  const { okta, world } = scene
  let ids = await pushAll(scene)
  const groups = await Promise.all(['red', 'green'].map((name) => pushGroup(okta, name, ids)))
  const answers: Pushed[] = []
  for (let round = 0; round < 4; round++) {
    const asked = ids.flatMap((id, i) => [
      okta.call('PUT', `/Users/${id}`, { body: userOf(people[i] ?? '', { displayName: `round ${round}` }) }),
      ...groups.map((group) => patch(scene, group, i % 2 === 0 ? add(id) : remove(id))),
      okta.call('DELETE', `/Users/${id}`),
      okta.call('POST', '/Users', { body: userOf(people[i] ?? '') }),
    ])
    answers.push(...(await Promise.all(asked)))
    ids = (await inStore(world.store, 'select id from scim_user')).map(({ id }) => String(id))
  }
  expect(faults(answers)).toEqual([])
  const gone = `select member from directory_membership where member like 'user:%'
    and substr(member, 6) not in (select user_id from scim_user)`
  expect(await inStore(world.store, gone)).toEqual([])
})

test('a request that was rolled back for another that waited for it begins again by itself', async () => {
  const scene = await createScimWorld()
  const { okta, world } = scene
  const id = await pushUser(okta, 'erin')
  const other = new pg.Client({ connectionString: world.store.url, options: '-c search_path=tidegate' })
  await other.connect()
  onTestFinished(() => other.end())
  // The request finds out first that the two wait for each other, and so is the one that is rolled back.
  await other.query(`set deadlock_timeout = '30s'; begin`)
  await other.query('select from directory_user for update')
  const asked = okta.call('PATCH', `/Users/${id}`, { body: patchOf({ op: 'replace', value: { active: false } }) })
  const waits = `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`
  await expect.poll(async () => (await inStore(world.store, waits)).length).toBe(1)
  await other.query('select from scim_user for update')
  await other.query('commit')
  const { status, body } = await asked
  expect([status, body['active']]).toEqual([200, false])
  const deadlocks = `select deadlocks > 0 as seen from pg_stat_database where datname = current_database()`
  await expect.poll(() => inStore(world.store, deadlocks)).toEqual([{ seen: true }])
})
