/** The connectors in use, one per resource and configuration of it. */

import type { Connector } from '@tidegate/connectors'
import type { ResourceEntry } from '../configuration/snapshot.ts'
import type { Runtime } from '../runtime.ts'
import type { ReferenceSources } from '../secrets/references.ts'
import { resolveReference } from '../secrets/references.ts'
import { targetLimits } from './limits.ts'
import { createTurns } from './turns.ts'

export type Targets = {
  /** Opens no connection by itself. The same entry gives the same connector until another configuration pushes it out. */
  readonly connector: (entry: ResourceEntry) => Connector
  /** A turn at opening on the resource: how to give it back, or `undefined` when it did not come in time. */
  readonly takeTurn: (resource: string) => Promise<(() => void) | undefined>
  readonly end: () => Promise<void>
}

type Deps = { readonly runtime: Runtime; readonly secrets: ReferenceSources }

export function createTargets({ runtime, secrets }: Deps): Targets {
  /** By resource, newest last. An older one stays for as long as grants may have to be closed under it. */
  const byResource = new Map<string, { fingerprint: string; connector: Connector }[]>()

  const turns = createTurns({ atOnce: targetLimits.atOncePerResource, patienceMs: targetLimits.turnPatienceMs })

  const connect = (entry: ResourceEntry): Connector =>
    entry.kind.connect({
      resource: entry.resource.id,
      config: entry.config,
      roles: [...entry.roles.values()].map(({ spec }) => spec),
      secret: (reference) => resolveReference(reference, secrets),
      random: runtime.random,
      limits: targetLimits.connector,
    })

  return {
    connector(entry) {
      const fingerprint = fingerprintOf(entry)
      const known = byResource.get(entry.resource.id) ?? []
      const found = known.find((one) => one.fingerprint === fingerprint)
      if (found) return found.connector
      const connector = connect(entry)
      const all = [...known, { fingerprint, connector }]
      byResource.set(entry.resource.id, all.slice(-targetLimits.configurationsPerResource))
      for (const old of all.slice(0, -targetLimits.configurationsPerResource)) void old.connector.end()
      return connector
    },
    takeTurn: turns.take,
    async end() {
      await Promise.all([...byResource.values()].flat().map(({ connector }) => connector.end()))
      byResource.clear()
    },
  }
}

const fingerprintOf = ({ config, roles }: ResourceEntry): string =>
  JSON.stringify([config, [...roles.values()].map(({ spec }) => spec)])
