/** People at work while things break: they ask, approve, open, use and end, and write down what they were answered. */

import { setTimeout as delay } from 'node:timers/promises'
import type { Client } from '@tidegate/api'
import pg from 'pg'
import type { Random } from '../simulation/random.ts'
import type { Answered } from './calls.ts'
import { persist } from './calls.ts'
import type { CrashTarget, Fleet } from './fleet.ts'
import { ownReason } from './ledger.ts'
import type { Ledger, Life } from './ledger.ts'

export type Workload = {
  readonly ledger: Ledger
  /** Lets everyone finish what they have begun, which includes that the last session is cut. */
  readonly finish: () => Promise<void>
  /** For a scenario that failed: nobody waits for anything any more. */
  readonly abandon: () => void
}

type Shape = {
  readonly people: readonly string[]
  /** Seconds, both included. */
  readonly durations: readonly [shortest: number, longest: number]
  /** Between two of one person's accesses. */
  readonly pauseMs: number
  /** Everyone lets their grants expire. */
  readonly onlyExpire?: boolean
  /** What they ask access to. Absent: any target of the fleet. */
  readonly targets?: readonly CrashTarget[]
}

export const usualShape: Shape = {
  people: ['alice', 'bob', 'carol', 'ci', 'alice', 'bob'],
  durations: [2, 6],
  pauseMs: 150,
}

type Scene = {
  readonly fleet: Fleet
  readonly ledger: Ledger
  readonly shape: Shape
  readonly going: () => boolean
  /** Everything has been there for so long that whoever still waits waits for ever. */
  readonly hopeless: () => boolean
}

/** However long things are broken, people wait; and this much longer when all is well again. */
const patienceMs = 90_000

export function startWorkload(fleet: Fleet, ledger: Ledger, shape: Shape = usualShape): Workload {
  let stopped = false
  let hopelessAt = Number.POSITIVE_INFINITY
  const hopeless = (): boolean => performance.now() > hopelessAt
  const scene: Scene = { fleet, ledger, shape, going: () => !stopped, hopeless }
  const workers = shape.people.map((who, i) =>
    work(scene, { who, random: fleet.random(`${who}-${i}-${ledger.lives.length}`) }),
  )
  return {
    ledger,
    async finish() {
      stopped = true
      hopelessAt = performance.now() + patienceMs
      await Promise.all(workers)
    },
    abandon() {
      stopped = true
      hopelessAt = Number.NEGATIVE_INFINITY
    },
  }
}

type Person = { readonly who: string; readonly random: Random }

async function work(scene: Scene, { who, random }: Person): Promise<void> {
  const underWay = new Set<Promise<void>>()
  for (let i = 0; scene.going(); i++) {
    const one = live(scene, { who, random }).catch((error: unknown) => {
      scene.ledger.violations.push(`${who} at work: ${String((error as Error).stack)}`)
    })
    underWay.add(one)
    void one.finally(() => underWay.delete(one))
    // Sessions overlap, though not without limit.
    if (underWay.size >= 3) await Promise.race(underWay)
    await delay(scene.shape.pauseMs + random.below(scene.shape.pauseMs))
  }
  await Promise.all(underWay)
}

type Drawn = {
  readonly role: 'readonly' | 'writer'
  readonly duration: string
  readonly target: CrashTarget
  readonly key: string
  readonly way: 'done' | 'revoked' | 'expired'
  readonly useMs: number
}

function draw({ fleet, shape }: Scene, random: Random): Drawn {
  const [shortest, longest] = shape.durations
  const seconds = shortest + random.below(longest - shortest + 1)
  const way = (['expired', 'expired', 'done', 'revoked'] as const)[random.below(4)] ?? 'expired'
  return {
    role: random.chance(0.3) ? 'writer' : 'readonly',
    duration: `${seconds}s`,
    target: random.pick(shape.targets ?? fleet.targets) ?? fleet.target,
    key: Buffer.from(random.bytes(9)).toString('base64url'),
    way: shape.onlyExpire ? 'expired' : way,
    useMs: random.below(seconds * 700),
  }
}

async function live(scene: Scene, { who, random }: Person): Promise<void> {
  const drawn = draw(scene, random)
  const life: Life = { who, resource: drawn.target.resource, reason: `${ownReason}${drawn.key}` }
  scene.ledger.lives.push(life)
  const grant = await ask(scene, life, drawn)
  if (grant === undefined) return
  const client = await open(scene, { life, grant, target: drawn.target })
  if (!client) return
  await delay(drawn.useMs)
  await endIt(scene, life, { grant, way: drawn.way })
  await cutOf(scene, life, client)
}

const calling = ({ fleet, ledger, hopeless }: Scene, who: string) => ({
  client: (): Client => fleet.clientOf(who),
  tally: ledger.tally,
  slowest: ledger.slowest,
  giveUp: hopeless,
})

/** The grant's id, when there is one. */
async function ask(scene: Scene, life: Life, { role, duration, target, key }: Drawn): Promise<string | undefined> {
  const wish = { role: `${target.resource}/${role}`, duration, reason: life.reason }
  const filed = await persist(
    (client, options) => client.createRequest(wish, { ...options, idempotencyKey: key }),
    calling(scene, life.who),
  )
  if ('refused' in filed) return stop(life, 'file', filed)
  life.request = filed.value
  if (filed.value.status !== 'pending') return filed.value.grant
  const { id } = filed.value
  // Nobody's own request: she asks for nothing, and no service is hers.
  const by = 'dora'
  const answered = await persist((client, options) => client.approveRequest({ id }, options), calling(scene, by))
  if (!('refused' in answered)) {
    life.approved = { by, request: answered.value }
    return answered.value.grant
  }
  // An answer that was lost on its way counts all the same.
  if (answered.refused !== 'already-answered' && answered.refused !== 'request-settled')
    return stop(life, 'approve', answered)
  const seen = await persist((client, options) => client.getRequest({ id }, options), calling(scene, life.who))
  if ('refused' in seen) return stop(life, 'look', seen)
  life.approved = { by, request: seen.value }
  return seen.value.grant
}

function stop(life: Life, at: string, { refused, detail }: Extract<Answered<unknown>, { refused: string }>): undefined {
  life.stopped = { at, refused, detail }
}

type Opening = { readonly life: Life; readonly grant: string; readonly target: CrashTarget }

async function open(scene: Scene, { life, grant, target }: Opening): Promise<pg.Client | undefined> {
  const opened = await persist(
    (client, options) => client.activateGrant({ id: grant }, options),
    calling(scene, life.who),
  )
  if ('refused' in opened) return stop(life, 'open', opened)
  const { credential } = opened.value
  life.opened = { grant: opened.value.grant, login: credential.user }
  const { host, port } = target.cluster.connection
  const client = new pg.Client({
    host,
    port,
    database: credential.databases[0],
    user: credential.user,
    password: credential.secret,
    connectionTimeoutMillis: 5_000,
  })
  client.on('error', () => undefined)
  try {
    await client.connect()
    life.session = { since: Date.now() }
    client.once('end', () => {
      if (life.session) life.session.cutAt ??= Date.now()
    })
    await client.query('select count(*) from shop.orders')
  } catch {
    // Its target is gone for the moment, or its time was over before it got in.
  }
  return client
}

type Ending = { readonly grant: string; readonly way: Drawn['way'] }

async function endIt(scene: Scene, life: Life, { grant, way }: Ending): Promise<void> {
  if (way === 'expired') {
    life.end = { reason: 'expired', answeredAt: Date.parse(life.opened?.grant.expiresAt ?? '') }
    return
  }
  const ended =
    way === 'done'
      ? await persist((client, options) => client.endGrant({ id: grant }, options), calling(scene, life.who))
      : await persist(
          (client, options) => client.revokeGrant({ id: grant, reason: 'Enough' }, options),
          calling(scene, 'dora'),
        )
  if ('refused' in ended) return stop(life, way, ended)
  const { end } = ended.value
  if (!end) scene.ledger.violations.push(`${grant} was answered as ${way} and has no end`)
  // Time or a lost answer may have been faster.
  life.end = { reason: end?.reason === 'expired' ? 'expired' : way, answeredAt: Date.now() }
}

/** A session that is not cut when all is well again is found by the verdict. */
async function cutOf({ hopeless }: Scene, life: Life, client: pg.Client): Promise<void> {
  const goesOn = (): boolean => life.session !== undefined && life.session.cutAt === undefined
  while (goesOn() && !hopeless()) await delay(20)
  if (goesOn()) client.removeAllListeners('end')
  await client.end().catch(() => undefined)
}
