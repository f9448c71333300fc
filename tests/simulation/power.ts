/** Calls that take a role of Tidegate itself: who gets through, and what is told of it. */

import type { AdministrationAuth, OperationId } from '@tidegate/api'
import { administrationAuth, isAdministrationAuth, operations } from '@tidegate/api'
import type { AdministrationRole } from '@tidegate/core'
import { handlers } from '../../packages/server/src/operations/handlers.ts'
import { fullVariant } from './configuration.ts'
import type { Called } from './judge.ts'
import type { GrantRow } from './look.ts'
import type { Answer } from './process.ts'
import type { World } from './world.ts'
import { mostSkewMs } from './world.ts'

type Rule = {
  readonly id: OperationId
  readonly method: string
  readonly path: RegExp
  readonly auth: AdministrationAuth
}

const rules: readonly Rule[] = (Object.keys(operations) as OperationId[]).flatMap((id) => {
  const { auth, method, path } = operations[id]
  return isAdministrationAuth(auth)
    ? [{ id, method, auth, path: new RegExp(`^${path.replaceAll(/\{\w+\}/g, '[^/]+')}$`) }]
    : []
})

/** Where nothing else happened meanwhile, one instant is all that counts. */
export function judgePower(world: World, called: Called, answer: Answer): void {
  const { call, name, begun, strand } = called
  const rule = rules.find(({ method, path }) => method === call.method && path.test(call.path))
  if (!rule) return
  const exact = begun.step === world.steps
  const standing = standingOwner(world, called)
  const granted = grantsInUse(world, called, {
    roles: administrationAuth[rule.auth],
    slackMs: exact ? 0 : 2 * mostSkewMs,
  })
  if (answer.status < 300 && standing === 'never' && granted.length === 0)
    world.fail('power-only-while-held', `${name} was let through, and ${call.as} held no ${rule.auth}`)
  const undisturbed = exact && strand.solo && strand.struck.length === 0
  const holds = standing === 'always' || granted.length > 0
  if (undisturbed && holds && answer.status === 403 && onlyTakesPower(rule.id))
    world.fail('power-only-while-held', `${name} was refused, and ${call.as} held ${rule.auth}`)
  if (answer.status < 300 && standing === 'always' && granted.length === 0) toldOf(world, rule.id)
}

/** Others are refused for more than what their caller is. */
const onlyTakesPower = (id: OperationId): boolean => id !== 'closeFinding' && id !== 'approveChange'

type Held = 'always' | 'never' | 'sometimes'

/** By every configuration that was in force while the call was under way, by none, or by some. */
function standingOwner(world: World, { call, begun }: Called): Held {
  const person = call.as.slice('user:'.length)
  const during = world.sight.configurations.filter(({ version }) => version >= begun.version)
  const held = during.map(({ version }) => fullVariant(world.variantOf(version)).administrators.includes(person))
  return held.every(Boolean) ? 'always' : held.some(Boolean) ? 'sometimes' : 'never'
}

type Wanted = { readonly roles: readonly AdministrationRole[]; readonly slackMs: number }

/** Those that gave one of the roles at some moment of the call, by the clock of whom it was sent to. */
function grantsInUse(world: World, { call, begun }: Called, { roles, slackMs }: Wanted): GrantRow[] {
  return [...world.sight.grants.values()].filter((row) => {
    const was = begun.grants.get(row.id)
    const wanted = row.resource === 'tidegate' && row.principal === call.as && roles.some((role) => role === row.role)
    const open = row.activated_at !== null && was?.state !== 'ending' && was?.state !== 'ended'
    const end = Math.max(row.expires_at ?? 0, was?.expires_at ?? 0)
    return wanted && open && end + slackMs > begun.now
  })
}

/** What changes something by standing power leaves an entry for each time, in its own transaction. */
function toldOf(world: World, id: OperationId): void {
  if (handlers[id].kind !== 'change') return
  const uses = (world.told.standingUses.get(id) ?? 0) + 1
  world.told.standingUses.set(id, uses)
  const entries = world.sight.entries.filter(
    ({ type, operation }) => type === 'administration.standing-used' && operation === id,
  )
  if (entries.length < uses)
    world.fail(
      'standing-power-is-told',
      `${id} was done ${uses} times by standing power, and ${entries.length} are told`,
    )
}
