/**
 * Each kind of change that gateways bring, lost on its way: once before the store has it, once before it is known that
 * it has. As in `faults.test.ts`.
 */

import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { opened, outcomeOf, permitted } from './support/access.ts'
import { clusterOf, uniqueName } from './support/databases.ts'
import type { Gateway } from './support/gateways.ts'
import {
  address,
  enrolWith,
  joined,
  makeKey,
  newSession,
  reportsOf,
  signInWith,
  stranger,
  throughGateways,
} from './support/gateways.ts'
import type { Proxy } from './support/proxy.ts'
import { startProxy } from './support/proxy.ts'
import { inStore, stateOf } from './support/story.ts'
import { createWorld, defaultFiles } from './support/tidegate.ts'

let world: Awaited<ReturnType<typeof createWorld>>
let stores: Proxy
let targets: Proxy
let gateway: Gateway

beforeAll(async () => {
  stores = await startProxy(clusterOf('store'))
  targets = await startProxy(clusterOf('target'))
  world = await createWorld({
    storeAt: stores,
    targetAt: targets,
    files: (parts) => throughGateways(defaultFiles(parts)),
  })
  gateway = await joined(world)
})
afterAll(async () => {
  await world.stop()
  await Promise.all([stores.close(), targets.close()])
})

type Prepared = {
  readonly act: () => Promise<unknown>
  /** Of what it writes, what is there: equal before and after, if nothing was done. */
  readonly sight: () => Promise<unknown>
  /** What doing it again comes to when it was done already. Absent: it is done once more. */
  readonly again?: string
}

const rowsOf = (text: string, ...values: unknown[]) => inStore(world.store, text, values)
const name = (): string => uniqueName('gw').replaceAll('_', '-')

async function reported(): Promise<{ session: string; reports: ReturnType<typeof reportsOf> }> {
  const session = newSession()
  const { grant } = await opened(world.as('alice'), { duration: '10m' })
  return { session, reports: reportsOf(world, { session, grant: grant.id }) }
}

let statements = 0

/** Of an open session, not asked yet. */
async function asking() {
  const { session, reports } = await reported()
  await gateway.client.reportSessions({ reports: [reports.opened()] })
  return {
    id: `stm_${String(++statements).padStart(26, '0')}`,
    session,
    number: 1,
    rule: 'ask',
    about: 'DELETE on shop.orders needs the approval of a person',
    approvers: [['owner']],
    withinSeconds: 600,
    text: 'delete from shop.orders',
    parameters: [],
  }
}

async function asked() {
  const question = await asking()
  await gateway.client.askStatement(question)
  return question
}

const kinds: Readonly<Record<string, () => Promise<Prepared>>> = {
  'a gateway that is invited': async () => {
    const id = name()
    return {
      act: () => world.admin.createGateway({ id }),
      sight: () => rowsOf('select invitation_hash from gateway where id = $1', id),
    }
  },
  'a gateway that enrols': async () => {
    const id = name()
    const { enrolmentToken: token } = await world.admin.createGateway({ id })
    const enrolment = enrolWith(makeKey(), token)
    return {
      act: () => stranger(world.server.url).enrolGateway(enrolment),
      sight: () => rowsOf('select public_key from gateway where id = $1', id),
      again: 'done',
    }
  },
  'a gateway that signs in': async () => {
    const { id, key } = await joined(world, { id: name() })
    world.clock.advance(1_000)
    const signed = signInWith(key, { gateway: id, at: new Date(world.clock.now()).toISOString() })
    return {
      act: () => stranger(world.server.url).issueGatewayToken(signed),
      sight: () => rowsOf('select signed_in_at from gateway where id = $1', id),
      again: 'unauthenticated',
    }
  },
  'a gateway that is put out': async () => {
    const { id } = await joined(world, { id: name() })
    return {
      act: () => world.admin.removeGateway({ id }),
      sight: () => rowsOf('select removed_at from gateway where id = $1', id),
      again: 'done',
    }
  },
  'a login that is released': async () => {
    const { grant } = await opened(world.as('alice'), { duration: '10m' })
    const entries = `select count(*) from audit_entry where grant_id = $1 and type = 'grant.login-released'`
    return {
      act: () => gateway.client.releaseLogin({ id: grant.id }),
      sight: () => rowsOf(entries, grant.id),
    }
  },
  'sessions that are reported': async () => {
    const { session, reports } = await reported()
    const batch = [reports.opened(), reports.recorded(1), reports.ended()]
    return {
      act: () => gateway.client.reportSessions({ reports: batch }),
      sight: () => rowsOf('select ended_at, head from access_session where id = $1', session),
      again: 'done',
    }
  },
  'a session that someone ends': async () => {
    const { session, reports } = await reported()
    await gateway.client.reportSessions({ reports: [reports.opened()] })
    return {
      act: () => world.as('bob').killSession({ id: session }),
      sight: () => rowsOf('select kill_asked_at from access_session where id = $1', session),
      again: 'done',
    }
  },
  'a recording that someone asks to see': async () => {
    const { session, reports } = await reported()
    await gateway.client.reportSessions({ reports: [reports.opened()] })
    await gateway.client.syncGateway({ waitMs: 0 })
    return {
      act: () => world.as('bob').viewRecording({ id: session, reason: 'Case 17' }),
      sight: () => rowsOf('select id from recording_view where session = $1 order by id', session),
    }
  },
  'a piece of a recording': async () => {
    const { session, reports } = await reported()
    await gateway.client.reportSessions({ reports: [reports.opened()] })
    await gateway.client.syncGateway({ waitMs: 0 })
    const { view } = await world.as('sam').viewRecording({ id: session, reason: 'Case 17' })
    const piece = { what: 'over', why: 'all' } as const
    return {
      act: () => gateway.client.sendRecording({ id: view, sender: 'sender-one', number: 1, piece, waitMs: 0 }),
      sight: () => rowsOf('select sent from recording_view where id = $1', view),
      again: 'done',
    }
  },
  'a recording that someone has deleted': async () => {
    const { session, reports } = await reported()
    await gateway.client.reportSessions({ reports: [reports.opened(), reports.ended()] })
    return {
      act: () => world.as('dora').forgetRecording({ id: session, reason: 'Erasure request 12' }),
      sight: () => rowsOf('select forget_asked_at from access_session where id = $1', session),
      again: 'done',
    }
  },
  'a statement that is asked about': async () => {
    const question = await asking()
    return {
      act: () => gateway.client.askStatement(question),
      sight: () => rowsOf('select status from access_statement where id = $1', question.id),
      again: 'done',
    }
  },
  'a yes to a statement': async () => {
    const { id } = await asked()
    return {
      act: () => world.as('bob').approveStatement({ id }),
      sight: () => rowsOf('select status from access_statement where id = $1', id),
      again: 'done',
    }
  },
  'what became of a statement': async () => {
    const { id, session } = await asked()
    await world.as('bob').approveStatement({ id })
    const at = new Date(world.clock.now()).toISOString()
    return {
      act: () =>
        gateway.client.reportSessions({ reports: [{ what: 'statement', session, at, statement: id, outcome: 'run' }] }),
      sight: () => rowsOf('select status, over_at from access_statement where id = $1', id),
      again: 'done',
    }
  },
}

/** The store is lost before it is told to commit. */
async function loseBefore({ act }: Prepared): Promise<string> {
  const committing = stores.holdRequest('commit')
  const outcome = outcomeOf(act())
  await committing
  stores.cut()
  const told = await outcome
  stores.mend()
  return told
}

/** The store is lost when it has done this, and before it has said so. */
async function loseAfter({ act, sight }: Prepared): Promise<string> {
  const before = JSON.stringify(await sight())
  const committing = stores.holdAnswer('commit')
  const outcome = outcomeOf(act())
  await committing
  while (JSON.stringify(await sight()) === before);
  stores.cut()
  const told = await outcome
  stores.mend()
  return told
}

describe.each(Object.entries(kinds))('%s', (_name, prepare) => {
  test('that never reached the store is not done, and is when it is done again', async () => {
    onTestFinished(() => stores.mend())
    const change = await prepare()
    const [before, seen] = [await stateOf(world.store), await change.sight()]
    expect(await loseBefore(change)).toBe('unavailable')
    expect(await stateOf(world.store)).toEqual(before)
    expect(await outcomeOf(change.act())).toBe('done')
    expect(await change.sight()).not.toEqual(seen)
  })

  test('that was done and not heard of is there, and asking again says how it stands', async () => {
    onTestFinished(() => stores.mend())
    const change = await prepare()
    expect(await loseAfter(change)).toBe('unavailable')
    const after = await change.sight()
    expect(await outcomeOf(change.act())).toBe(change.again ?? 'done')
    if (change.again !== undefined) expect(await change.sight()).toEqual(after)
  })
})

test('an activation through a gateway that was recorded and not heard of has its login kept, and activating again replaces it', async () => {
  onTestFinished(() => stores.mend())
  const id = await permitted(world.as('alice'))
  const opening = targets.holdAnswer('CREATE ROLE')
  const outcome = outcomeOf(world.as('alice').activateGrant({ id }))
  await opening
  const recording = stores.holdAnswer('commit')
  targets.mend()
  await recording
  while ((await rowsOf('select login_verifier from access_grant where id = $1', id))[0]?.['login_verifier'] === null);
  stores.cut()
  expect(await outcome).toBe('unavailable')
  stores.mend()
  const { secret } = await gateway.client.releaseLogin({ id })
  const { credential } = await world.as('alice').activateGrant({ id })
  expect(credential).toMatchObject({ user: id, host: address.host })
  expect((await gateway.client.releaseLogin({ id })).secret).not.toBe(secret)
})
