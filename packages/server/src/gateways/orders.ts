/**
 * What gateways are told to do until it is done: end a session, send a recording, delete one, go on with a statement that a person
 * was asked about. Told whole with each
 * answer, so that nothing is lost by an answer that was.
 */

import type { Instant } from '@tidegate/core'
import { formatInstant } from '@tidegate/core'
import type { Database } from '../store/database.ts'
import { boundInstant } from '../store/database.ts'
import type { News } from './feed-reads.ts'
import { gatewayServerLimits } from './limits.ts'
import type { Head } from './reports.ts'
import { viewsSince } from './views.ts'

export type Order = { readonly gateway: string } & (
  | { readonly kill: News['kill'][number] }
  | { readonly view: NonNullable<News['views']>[number] }
  | { readonly forget: NonNullable<News['forget']>[number] }
  | { readonly answer: News['statements'][number] }
)

/** By what they are about: the same key is the same order. */
export type Orders = ReadonlyMap<string, Order>

/** Few at any time. */
export async function readOrders(db: Database, now: Instant): Promise<Orders> {
  const reads = [readKills(db), readViews(db, now), readForgets(db), readAnswers(db)]
  return new Map((await Promise.all(reads)).flat())
}

type Told = {
  readonly kill: News['kill']
  readonly views: NonNullable<News['views']>
  readonly forget: NonNullable<News['forget']>
  readonly statements: News['statements']
}

export function toldOrders(orders: Iterable<Order>, gateway: string): Told {
  const told: Told = { kill: [], views: [], forget: [], statements: [] }
  for (const order of orders) {
    if (order.gateway !== gateway) continue
    if ('kill' in order) told.kill.push(order.kill)
    else if ('view' in order) told.views.push(order.view)
    else if ('forget' in order) told.forget.push(order.forget)
    else told.statements.push(order.answer)
  }
  return told
}

type Keyed = readonly [key: string, order: Order]

/** Sessions that are to end and have not, as far as their gateway has said. */
async function readKills(db: Database): Promise<Keyed[]> {
  const rows = await db
    .selectFrom('accessSession')
    .select(['id', 'gateway', 'killReason'])
    .where('killAskedAt', 'is not', null)
    .where('endedAt', 'is', null)
    .execute()
  return rows.map(({ id, gateway, killReason }) => [
    `kill ${id}`,
    { gateway, kill: { session: id, reason: killReason ?? '' } },
  ])
}

/** Recordings that someone still looks at. */
async function readViews(db: Database, now: Instant): Promise<Keyed[]> {
  const rows = await db
    .selectFrom('recordingView')
    .innerJoin('accessSession', 'accessSession.id', 'recordingView.session')
    .select(['recordingView.id', 'recordingView.gateway', 'recordingView.session', 'recordingView.follow'])
    .select('accessSession.startedAt')
    .where('recordingView.askedAt', '>', boundInstant(viewsSince(now)))
    .where('recordingView.isOver', '=', false)
    .execute()
  return rows.map(({ id, gateway, session, follow, startedAt }) => [
    `view ${id}`,
    { gateway, view: { view: id, session, startedAt: formatInstant(startedAt), follow } },
  ])
}

/** What was answered about statements whose gateway has not said yet what became of them. */
async function readAnswers(db: Database): Promise<Keyed[]> {
  const rows = await db
    .selectFrom('accessStatement')
    .select(['id', 'session', 'gateway', 'status', 'answeredBy', 'comment'])
    .where('status', '!=', 'pending')
    .where('overAt', 'is', null)
    .execute()
  return rows.map(({ id, session, gateway, ...row }) => {
    const why = row.status === 'approved' ? undefined : noWords(row)
    const answer = why === undefined ? ('yes' as const) : ('no' as const)
    return [
      `statement ${id}`,
      { gateway, answer: { statement: id, session, answer, ...(why !== undefined && { why }) } },
    ]
  })
}

type Settled = { readonly status: string; readonly answeredBy: string | null; readonly comment: string | null }

function noWords({ status, answeredBy, comment }: Settled): string {
  if (status === 'denied') return `${answeredBy} said no${comment === null ? '' : `: ${comment}`}`
  return status === 'expired' ? 'nobody answered in time' : 'nobody waits for it any more'
}

/** Recordings that are to be deleted, the first so many of them. Those of a gateway that is out wait until it is back. */
async function readForgets(db: Database): Promise<Keyed[]> {
  const rows = await db
    .selectFrom('accessSession')
    .innerJoin('gateway', 'gateway.id', 'accessSession.gateway')
    .select(['accessSession.id', 'accessSession.gateway', 'startedAt', 'head', 'forgetBy', 'forgetReason'])
    .where('forgetAskedAt', 'is not', null)
    .where('forgottenAt', 'is', null)
    .where('gateway.enrolledAt', 'is not', null)
    .orderBy('accessSession.id')
    .limit(gatewayServerLimits.forgetsTold)
    .execute()
  return rows.map(({ id, gateway, startedAt, head, forgetBy, forgetReason }) => [
    `forget ${id}`,
    {
      gateway,
      forget: {
        session: id,
        startedAt: formatInstant(startedAt),
        by: forgetBy ?? '',
        reason: forgetReason ?? '',
        ...(head !== null && { head: head as Head }),
      },
    },
  ])
}
