/** What histories run on, one after the other: a store with an installation and a first configuration, and targets. */

import { randomBytes } from 'node:crypto'
import { instant } from '@tidegate/core'
import { keepEngineSteady } from '../../packages/server/src/engine.ts'
import { openInstallation } from '../../packages/server/src/installation.ts'
import { createConfigurations } from '../../packages/server/src/configuration/configurations.ts'
import { applyConfiguration } from '../../packages/server/src/configuration/apply.ts'
import { findPrincipals, firstAdministrator } from '../../packages/server/src/identity/principals.ts'
import { tokenAuthentication } from '../../packages/server/src/identity/tokens.ts'
import { createSigning } from '../../packages/server/src/log/signing.ts'
import { createMasterKey, makeKey } from '../../packages/server/src/secrets/keys.ts'
import { change } from '../../packages/server/src/store/change.ts'
import type { Runtime } from '../../packages/server/src/runtime.ts'
import { filesOf, targetNames } from './configuration.ts'
import { openStore } from './store.ts'
import { createTargets } from './targets.ts'
import type { Bench } from './world.ts'

/** @param url of a migrated, empty database, with a superuser's password */
export async function openBench(url: string): Promise<Bench & { readonly close: () => Promise<void> }> {
  keepEngineSteady()
  const current: Bench['current'] = { planted: {}, now: () => 0 }
  const store = await openStore({ url, now: () => current.now(), tamper: () => current.planted.tamper })
  const targets = createTargets({ names: targetNames, disguise: () => current.planted.disguise })
  const runtime: Runtime = { now: () => instant(Date.UTC(2026, 0, 1)), random: (count) => randomBytes(count) }
  const kinds = new Map([[targets.kind.kind, targets.kind]])
  const db = store.adminDb
  const key = createMasterKey([makeKey(randomBytes(32))])
  await openInstallation({ db, runtime, key })
  const { current: signer } = await createSigning(key)(db)
  const configurations = createConfigurations(kinds)
  await change({ db, runtime }, (unit) => {
    const principal = { ...firstAdministrator, kind: 'user', groups: [] } as const
    const caller = {
      principal,
      authentication: tokenAuthentication(unit.now),
      administration: [{ role: 'owner', by: 'first' } as const],
      administrator: true,
      policyAuthor: true,
      auditor: true,
      expiresAt: instant(Number.MAX_SAFE_INTEGER),
    }
    return applyConfiguration({ db, runtime, configurations, findPrincipals, kinds }, unit, {
      caller,
      files: filesOf(0),
    })
  })
  return { store, targets, signer, current, close: store.close }
}
