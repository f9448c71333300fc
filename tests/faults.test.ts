/**
 * Each kind of change of the store, lost on its way: once before the store has it, once before it is known that it has.
 * Whoever asked is told; what was not done left nothing; what was done is there once, and doing it again says so.
 */

import { beforeAll, afterAll, describe, expect, onTestFinished, test } from 'vitest'
import type { Client } from '@tidegate/api'
import { logIn, loginsOn, opened, outcomeOf, permitted } from './support/access.ts'
import { clusterOf, uniqueName } from './support/databases.ts'
import { edited } from './support/edit.ts'
import type { Proxy } from './support/proxy.ts'
import { startProxy } from './support/proxy.ts'
import { entryTypesOf, inStore, stateOf } from './support/story.ts'
import type { World } from './support/tidegate.ts'
import { createWorld, defaultFiles } from './support/tidegate.ts'

let world: Awaited<ReturnType<typeof createWorld>>
let stores: Proxy
let targets: Proxy

/** With four eyes, so that a change can wait for a second person. */
beforeAll(async () => {
  stores = await startProxy(clusterOf('store'))
  targets = await startProxy(clusterOf('target'))
  world = await createWorld({
    storeAt: stores,
    targetAt: targets,
    files: (parts) =>
      edited(
        edited(defaultFiles(parts), 'people.yaml', ['auditors: security }', 'auditors: security, fourEyes: true }']),
        'people.yaml',
        ['id: tidegate-admins, members: [dora]', 'id: tidegate-admins, members: [dora, carol]'],
      ),
  })
})
afterAll(async () => {
  await world.stop()
  await Promise.all([stores.close(), targets.close()])
})

const writing = { role: 'orders-db/writer', duration: '1h', reason: 'Fix order 7' }

type Prepared = {
  readonly act: () => Promise<unknown>
  /** Of what it writes, what is there: equal before and after, if nothing was done. */
  readonly sight: () => Promise<unknown>
  /** What doing it again comes to when it was done already. */
  readonly again: string
}
type Kind = (world: World) => Promise<Prepared>

const statusOf = async (client: Client, id: string): Promise<unknown> => (await client.getRequest({ id })).status
const stateOfGrant = async (client: Client, id: string): Promise<unknown> => (await client.getGrant({ id })).state

async function asked({ as }: World): Promise<string> {
  return (await as('alice').createRequest(writing)).id
}

/** Whatever else is due by then has been seen to. */
async function justBefore(time: number): Promise<void> {
  world.clock.set(time - 1)
  await world.server.drain()
}

const kinds: Readonly<Record<string, Kind>> = {
  'a request that is filed': async ({ as, admin }) => {
    const options = { idempotencyKey: uniqueName('key') }
    return {
      act: () => as('alice').createRequest(writing, options),
      sight: async () => (await admin.listRequests({ limit: 500 })).items.length,
      again: 'done',
    }
  },
  'a yes that makes the grant': async (given) => {
    const id = await asked(given)
    return {
      act: () => given.as('carol').approveRequest({ id }),
      sight: () => statusOf(given.as('alice'), id),
      again: 'request-settled',
    }
  },
  'a no': async (given) => {
    const id = await asked(given)
    return {
      act: () => given.as('carol').denyRequest({ id }),
      sight: () => statusOf(given.as('alice'), id),
      again: 'request-settled',
    }
  },
  'a request that is taken back': async (given) => {
    const id = await asked(given)
    return {
      act: () => given.as('alice').cancelRequest({ id }),
      sight: () => statusOf(given.as('alice'), id),
      again: 'request-settled',
    }
  },
  'an activation that begins': async ({ as }) => {
    const id = await permitted(as('alice'))
    return {
      act: () => as('alice').activateGrant({ id }),
      sight: async () => ((await stateOfGrant(as('alice'), id)) === 'ready' ? 'ready' : 'begun'),
      again: 'done',
    }
  },
  'an extension that policy permits': async ({ as }) => {
    const { grant } = await opened(as('alice'))
    const options = { idempotencyKey: uniqueName('key') }
    return {
      act: () => as('alice').extendGrant({ id: grant.id, duration: '2h', reason: 'Not done' }, options),
      sight: async () => (await as('alice').getGrant({ id: grant.id })).expiresAt,
      again: 'done',
    }
  },
  'an end that its holder says': async ({ as }) => {
    const { grant } = await opened(as('alice'))
    return {
      act: () => as('alice').endGrant({ id: grant.id }),
      sight: () => stateOfGrant(as('alice'), grant.id),
      again: 'done',
    }
  },
  'a revoke': async ({ as, admin }) => {
    const { grant } = await opened(as('alice'))
    return {
      act: () => admin.revokeGrant({ id: grant.id, reason: 'Found a fault' }),
      sight: () => stateOfGrant(as('alice'), grant.id),
      again: 'done',
    }
  },
  'a signal': async ({ as, store, clock }) => {
    clock.advance(1_000)
    const signal = { name: 'device', subject: 'user:bob', value: { compliant: true, managed: true } } as const
    return {
      act: () => as('device-manager').putSignal(signal),
      sight: () => inStore(store, `select observed_at from signal where subject = 'user:bob'`),
      again: 'done',
    }
  },
  'a configuration that is proposed': async ({ as, admin, files }) => {
    const options = { idempotencyKey: uniqueName('key') }
    const wider = edited(files, 'access.cedar', ['@max_duration("2h")', '@max_duration("3h")'])
    return {
      act: () => as('dora').applyConfig({ files: wider }, options),
      sight: async () => (await admin.listChanges({ limit: 500 })).items.length,
      again: 'done',
    }
  },
  'a change that a second person lets through': async ({ as, admin, files }) => {
    const most = `@max_duration("${(await admin.listChanges({ limit: 500 })).items.length + 3}h")`
    const wider = edited(files, 'access.cedar', ['@max_duration("2h")', most])
    const { id } = await as('dora').applyConfig({ files: wider })
    return {
      act: () => as('carol').approveChange({ id }),
      sight: async () => (await admin.getChange({ id })).status,
      again: 'change-settled',
    }
  },
  'a finding that someone has looked at': async ({ admin, store, clock }) => {
    const id = uniqueName('fnd')
    await inStore(
      store,
      `insert into finding (id, kind, subject, severity, message, opened_at, last_seen_at)
       values ($1, 'orphan-login', $1, 'high', 'Found by a test', $2, $2)`,
      [id, new Date(clock.now())],
    )
    return {
      act: () => admin.closeFinding({ id, note: 'Seen' }),
      sight: async () => (await inStore(store, 'select closed_at is null as open from finding where id = $1', [id]))[0],
      again: 'not-found',
    }
  },
  'a grant that was closed': async ({ as, server }) => {
    const { grant } = await opened(as('alice'))
    await as('alice').endGrant({ id: grant.id })
    return { act: () => server.drain(), sight: () => stateOfGrant(as('alice'), grant.id), again: 'done' }
  },
  'a grant that has come to its time': async ({ as, server, clock }) => {
    const { grant } = await opened(as('alice'))
    await justBefore(Date.parse(grant.expiresAt as string))
    clock.advance(1)
    return {
      act: () => server.drain(),
      sight: async () => ((await stateOfGrant(as('alice'), grant.id)) === 'active' ? 'active' : 'ends'),
      again: 'done',
    }
  },
  'a request whose time has passed': async (given) => {
    const id = await asked(given)
    await justBefore(given.clock.now() + 24 * 3_600_000)
    given.clock.advance(1)
    return { act: () => given.server.drain(), sight: () => statusOf(given.as('alice'), id), again: 'done' }
  },
  'a target that was tended': async ({ server, store, clock, settings }) => {
    clock.advance(settings.sweepEvery)
    const due = async (): Promise<unknown> => (await inStore(store, 'select due_at from target_state'))[0]
    return { act: () => server.drain(), sight: due, again: 'done' }
  },
  'entries that get their place in the log': async (given) => {
    const id = await asked(given)
    const waiting = `select count(*) as waiting from audit_entry where leaf_index is null and request = $1`
    return {
      act: () => given.as('alice').getReceipt({ id }),
      sight: async () => (await inStore(given.store, waiting, [id]))[0],
      again: 'done',
    }
  },
}

/** Everything else is seen to before, so that the next commit is the one that is meant. */
async function prepared(kind: Kind): Promise<Prepared> {
  await world.server.drain()
  onTestFinished(() => stores.mend())
  return kind(world)
}

/** The store is lost before it is told to commit, this or anything else. */
async function loseBefore({ act }: Prepared): Promise<string> {
  const committing = stores.holdRequest('commit')
  const outcome = outcomeOf(act())
  await committing
  stores.cut()
  const told = await outcome
  stores.mend()
  return told
}

async function nothingIsUnderWay(): Promise<boolean> {
  const busy = `select count(*)::int as count from pg_stat_activity
                where datname = current_database() and state <> 'idle' and pid <> pg_backend_pid()`
  return (await inStore(world.store, busy))[0]?.['count'] === 0
}

/** The store is lost when it has done this, and before it has said so: of no commit is anything heard. */
async function loseAfter({ act, sight }: Prepared): Promise<string> {
  const before = JSON.stringify(await sight())
  let armed = true
  let spare: Promise<void>
  const arm = (): void => {
    spare = stores.holdAnswer('commit')
    void spare.then(() => armed && arm())
  }
  arm()
  const outcome = outcomeOf(act())
  // Others, that had nothing to do, may have committed first, and this one may wait for them.
  for (;;) {
    const nothing = await nothingIsUnderWay()
    if (JSON.stringify(await sight()) !== before) break
    if (nothing) stores.mend()
  }
  armed = false
  stores.cut()
  const told = await outcome
  stores.mend()
  await spend(spare!)
  return told
}

/** What is still waiting for a commit gets one. */
async function spend(trap: Promise<void>): Promise<void> {
  const signal = { name: 'ticket', subject: 'ticket:OPS-17', value: { open: true } } as const
  const sent = world.as('device-manager').putSignal(signal)
  await trap
  stores.mend()
  await sent
}

describe.each(Object.entries(kinds))('%s', (_name, kind) => {
  test('that never reached the store is not done, and is when it is done again', async () => {
    const change = await prepared(kind)
    const [before, seen] = [await stateOf(world.store), await change.sight()]
    expect(await loseBefore(change)).not.toBe('done')
    expect(await stateOf(world.store)).toEqual(before)
    expect(await outcomeOf(change.act())).toBe('done')
    expect(await change.sight()).not.toEqual(seen)
  })

  test('that was done and not heard of is there, and is not done a second time', async () => {
    const change = await prepared(kind)
    const before = await change.sight()
    expect(await loseAfter(change)).not.toBe('done')
    const after = await change.sight()
    expect(after).not.toEqual(before)
    expect(await outcomeOf(change.act())).toBe(change.again)
    expect(await change.sight()).toEqual(after)
  })
})

test('an activation that was recorded and not heard of is active, and a new credential is the only one that lets in', async () => {
  onTestFinished(() => stores.mend())
  const alice = world.as('alice')
  const id = await permitted(alice)
  const opening = targets.holdAnswer('CREATE ROLE')
  const outcome = outcomeOf(alice.activateGrant({ id }))
  await opening
  const recording = stores.holdAnswer('commit')
  targets.mend()
  await recording
  while ((await stateOfGrant(alice, id)) !== 'active');
  stores.cut()
  expect(await outcome).toBe('unavailable')
  stores.mend()
  const { grant, credential } = await alice.activateGrant({ id })
  expect((await entryTypesOf(world.admin, { grant: id })).filter((type) => type === 'grant.opened')).toHaveLength(1)
  expect(await loginsOn(world.target)).toEqual([credential.user])
  await logIn(credential)
  await alice.endGrant({ id: grant.id })
})
