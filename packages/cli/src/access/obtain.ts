/** From a wish for a role to a grant that can be opened: one that is held already, or a new one. */

import type { Client } from '@tidegate/api'
import { parseInstant } from '@tidegate/core'
import type { Invocation } from '../context.ts'
import { isInteractive } from '../context.ts'
import type { Exit } from '../exit-codes.ts'
import { Failure } from '../failure.ts'
import type { Interruption } from '../interruption.ts'
import { ask } from '../prompt.ts'
import { idempotencyKey, retrying } from '../server.ts'
import type { Duration } from '../values.ts'
import { exitOfWait, waitForAnswer } from '../waiting.ts'
import type { Grant } from '../words/grant.ts'
import { timeWords } from '../words/grant.ts'
import type { AccessRequest } from '../words/request.ts'
import { newsLines } from '../words/request.ts'

export type Wish = {
  readonly role: string
  /** Absent: what is there already will do, and a new request is for an hour. */
  readonly duration: Duration | undefined
  readonly reason: string | undefined
  readonly ticket: string | undefined
  /** Whether to wait for an approver, and for how long. */
  readonly wait: boolean
  readonly timeout: Duration
  /** The grants that may be used again. */
  readonly reuse: readonly Grant['state'][]
}

/** A grant, or why there is none; that has been said already. */
export type Obtained =
  | { readonly outcome: 'grant'; readonly grant: Grant }
  | { readonly outcome: 'none'; readonly exit: Exit }

type Deps = { readonly client: Client; readonly interruption: Interruption }

const usualDuration = '1h'

export async function obtainGrant(
  invocation: Invocation,
  { client, interruption }: Deps,
  wish: Wish,
): Promise<Obtained> {
  const { out } = invocation
  const { principal } = await client.whoami({})
  const held = await findGrant(invocation, client, { principal, wish })
  if (held) {
    out.note(`Using grant ${held.id} (${held.role}): ${timeWords(invocation, held)}.`)
    return { outcome: 'grant', grant: held }
  }
  interruption.signal.throwIfAborted()
  const filed = (await findRequest(client, { principal, wish })) ?? (await fileRequest(invocation, client, wish))
  out.note(...newsLines(invocation, filed))
  const settled = wish.wait
    ? await waitForAnswer(invocation, { client, request: filed, timeout: wish.timeout.length, interruption })
    : filed
  if (filed.status === 'pending' && settled.status !== 'pending') out.note(...newsLines(invocation, settled))
  if (settled.status !== 'approved' || settled.grant === undefined) {
    return { outcome: 'none', exit: exitOfWait(invocation, settled, interruption) }
  }
  return { outcome: 'grant', grant: await readGrant(invocation, client, settled.grant) }
}

const readGrant = async (invocation: Invocation, client: Client, id: string): Promise<Grant> =>
  retrying(invocation, () => client.getGrant({ id }))

type Search = { readonly principal: string; readonly wish: Wish }

async function findGrant(
  invocation: Invocation,
  client: Client,
  { principal, wish }: Search,
): Promise<Grant | undefined> {
  const { items } = await client.listGrants({ open: 'true', role: wish.role, principal })
  return items
    .filter(({ state }) => wish.reuse.includes(state))
    .filter((grant) => hasTimeLeft(grant, invocation.now()))
    .toSorted((a, b) => endOf(b) - endOf(a))[0]
}

/** The last moment it is of use, and 0 where that cannot be read. */
const endOf = ({ expiresAt, activateBy }: Grant): number => parseInstant(expiresAt ?? activateBy) ?? 0

const hasTimeLeft = (grant: Grant, now: number): boolean => endOf(grant) > now

/** One that waits already, so that running the same command again does not ask people twice. */
async function findRequest(client: Client, { principal, wish }: Search): Promise<AccessRequest | undefined> {
  const { items } = await client.listRequests({ status: 'pending', role: wish.role, principal })
  return items.find((request) => asksFor(request, wish))
}

/** What the wish leaves open may be anything. */
const asksFor = (request: AccessRequest, { duration, reason, ticket }: Wish): boolean =>
  request.startAt === undefined &&
  request.extends === undefined &&
  (duration === undefined || request.durationSeconds * 1_000 === duration.length) &&
  (reason === undefined || request.reason === reason.trim()) &&
  (ticket === undefined || request.ticket === ticket.trim())

async function fileRequest(invocation: Invocation, client: Client, wish: Wish): Promise<AccessRequest> {
  const reason = wish.reason ?? (await askReason(invocation, wish.role))
  const key = idempotencyKey(invocation)
  const { role, ticket } = wish
  const input = { role, duration: wish.duration?.text ?? usualDuration, reason, ticket }
  return retrying(invocation, () => client.createRequest(input, { idempotencyKey: key }))
}

async function askReason(invocation: Invocation, role: string): Promise<string> {
  const answer = isInteractive(invocation) ? await ask(invocation, `What do you need ${role} for? `) : undefined
  if (answer) return answer
  throw new Failure('usage', `A request for ${role} needs a reason.`, { remedy: 'Say what for with --reason "…".' })
}
