/** Whoever an agent acts for has a token made for it: shorter than their own login, and worth nothing without that. */

import type { Agent, Authentication, Millis } from '@tidegate/core'
import { principalKey } from '@tidegate/core'
import type { Configurations } from '../../configuration/configurations.ts'
import type { Unit } from '../../store/change.ts'
import type { Caller } from '../identity.ts'
import { identityLimits } from '../limits.ts'
import type { MachineLogin } from '../machines/machine-logins.ts'
import { beginMachineLogin } from '../machines/machine-logins.ts'
import type { FindPrincipals } from '../principals.ts'
import { findPrincipal } from '../principals.ts'

type Deps = { readonly configurations: Configurations; readonly findPrincipals: FindPrincipals }

type Delegating = {
  readonly agent: string
  readonly by: Caller
  readonly lasts: Millis
  readonly keyThumbprint?: string
  readonly address?: string
}

/** @returns `undefined` where the agent is not there, was killed, or acts for somebody else */
export async function delegate(
  { configurations, findPrincipals }: Deps,
  unit: Unit,
  { agent: id, by, lasts, keyThumbprint, address }: Delegating,
): Promise<(MachineLogin & { readonly agent: Agent }) | undefined> {
  const { tx, now } = unit
  const snapshot = await configurations.current(tx)
  const agent = await findPrincipal(findPrincipals, tx, { snapshot, ref: { kind: 'agent', id }, now })
  if (agent?.kind !== 'agent' || principalKey(agent.actsFor) !== principalKey(by.principal)) return undefined
  const made = await beginMachineLogin(unit, {
    principal: agent,
    proof: { by: 'delegation', ...(by.login !== undefined && { login: by.login }) },
    authentication: delegated(by.authentication),
    // What was not made through a login cannot be looked up later: it is over the sooner.
    lasts: by.login === undefined ? (Math.min(lasts, identityLimits.machineLoginUsual) as Millis) : lasts,
    noLongerThan: by.expiresAt,
    ...(address !== undefined && { address }),
    ...(keyThumbprint !== undefined && { keyThumbprint }),
  })
  return { ...made, agent }
}

/** That a person stood there with a second factor is nothing that their agent proves. It is bound as they are. */
const delegated = ({ at, run }: Authentication): Authentication => ({
  method: 'delegation',
  mfa: false,
  phishingResistant: false,
  at,
  ...(run !== undefined && { run }),
})
