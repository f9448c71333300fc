/**
 * What gateways have been told, as this process knows it: what is live now, and the latest changes in their order, so
 * that a gateway that says how far it has come is told only what came since.
 */

import type { GatewayRef } from '../identity/identity.ts'
import type { GatewayGrant, News, Standing } from './feed-reads.ts'
import type { Order, Orders } from './orders.ts'
import { toldOrders } from './orders.ts'
import { gatewayServerLimits } from './limits.ts'

export type Change =
  | { readonly resource: string; readonly grant: GatewayGrant }
  | { readonly resource: string; readonly ended: News['ended'][number] }
  | { readonly order: Order }

export type Told = Omit<News, 'now' | 'grants'> & { readonly grants: GatewayGrant[] }

export const concerns = ({ id, resources }: GatewayRef, change: Change): boolean =>
  'order' in change ? change.order.gateway === id : serves(resources, change.resource)

const serves = (resources: GatewayRef['resources'], resource: string): boolean => resources?.includes(resource) ?? true

/** @param name not that of any other memory: where one is numbered says nothing about another */
export function createMemory(name: string) {
  const live = new Map<string, Extract<Standing, { grant: unknown }>>()
  let orders: Orders = new Map()
  const changes: Change[] = []
  /** Told as over without having been read: what was read before that says otherwise, and is not believed. */
  const over = new Set<string>()
  /** The number of the first change that is remembered. */
  let first = 0

  const remember = (list: readonly Change[]): readonly Change[] => {
    for (const change of list) changes.push(change)
    // Half at a time, so that the rest is not moved for each.
    const most = gatewayServerLimits.remembered
    if (changes.length > most) first += changes.splice(0, changes.length - most / 2).length
    return list
  }

  const cursor = (): string => `${name}.${first + changes.length}`
  const ordersOf = (gateway: string): ReturnType<typeof toldOrders> => toldOrders(orders.values(), gateway)

  const positionOf = (text: string): number | undefined => {
    const [of, number] = text.split('.')
    const at = of === name && /^\d{1,15}$/.test(number ?? '') ? Number(number) : -1
    return at >= first && at <= first + changes.length ? at : undefined
  }

  const whole = (gateway: GatewayRef): Told => ({
    cursor: cursor(),
    whole: true,
    grants: [...live.values()].map(({ grant }) => grant).filter((grant) => serves(gateway.resources, grant.resource)),
    ended: [],
    ...ordersOf(gateway.id),
  })

  const changed = (position: number, gateway: GatewayRef) => {
    const mine = changes.slice(position - first).filter((change) => concerns(gateway, change))
    const told = { cursor: cursor(), whole: false, ...lastOfEach(mine), ...ordersOf(gateway.id) }
    return { told, isNews: mine.length > 0 }
  }

  const changeOf = (id: string, standing: Standing | undefined): Change | undefined => {
    const known = live.get(id)
    if (standing && 'grant' in standing) {
      if (over.has(id)) return undefined
      live.set(id, standing)
      return known?.mark === standing.mark ? undefined : { resource: standing.grant.resource, grant: standing.grant }
    }
    live.delete(id)
    const reason = standing?.ended ?? 'the grant is gone'
    // What was never told as live is not told as over.
    return known && { resource: known.grant.resource, ended: { grant: id, reason } }
  }

  return {
    /** The grants that are not as they are known here. */
    differing: (marks: ReadonlyMap<string, string>): string[] => [
      ...[...marks].filter(([id, mark]) => live.get(id)?.mark !== mark).map(([id]) => id),
      ...[...live.keys()].filter((id) => !marks.has(id)),
    ],
    putGrants: (ids: readonly string[], standings: ReadonlyMap<string, Standing>): readonly Change[] =>
      remember(ids.flatMap((id) => changeOf(id, standings.get(id)) ?? [])),
    /** A grant that has ended, which is final. */
    putOver(id: string, reason: string): readonly Change[] {
      over.add(id)
      const [oldest] = over
      if (over.size > gatewayServerLimits.remembered && oldest !== undefined) over.delete(oldest)
      const change = changeOf(id, { ended: reason })
      return remember(change ? [change] : [])
    },
    putOrders(present: Orders): readonly Change[] {
      const added = [...present].filter(([key]) => !orders.has(key))
      orders = present
      return remember(added.map(([, order]) => ({ order })))
    },
    /** Everything there is, where the cursor is of another process or of too long ago. */
    since(text: string | undefined, gateway: GatewayRef): { readonly told: Told; readonly isNews: boolean } {
      const position = text === undefined ? undefined : positionOf(text)
      return position === undefined ? { told: whole(gateway), isNews: true } : changed(position, gateway)
    },
  }
}

export type Memory = ReturnType<typeof createMemory>

/** Of each grant the last that happened. */
function lastOfEach(changes: readonly Change[]): Pick<Told, 'grants' | 'ended'> {
  const grants = new Map<string, GatewayGrant>()
  const ended = new Map<string, News['ended'][number]>()
  for (const change of changes) {
    if ('grant' in change) {
      grants.set(change.grant.grant, change.grant)
      ended.delete(change.grant.grant)
    } else if ('ended' in change) {
      ended.set(change.ended.grant, change.ended)
      grants.delete(change.ended.grant)
    }
  }
  return { grants: [...grants.values()], ended: [...ended.values()] }
}
