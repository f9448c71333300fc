/**
 * Tidegate as a resource of its own. Its roles are asked for, approved, granted and ended like every other, and a live
 * grant is all there is to them: nothing is made outside, so there is no login to hand out, to find or to take away.
 */

import type { Connector, ConnectorKind, Failure } from '@tidegate/connectors'
import type { AdministrationRole } from '@tidegate/core'
import { administrationResource, administrationRoles } from '@tidegate/core'
import { z } from 'zod'
import type { ResourceEntry, RoleEntry } from '../configuration/snapshot.ts'
import { usualRecording } from '../configuration/schema.ts'

const nothingToOpen: Failure = {
  outcome: 'failed',
  notDone: true,
  cause: 'misconfigured',
  message: 'A role of Tidegate itself has no login.',
}

/** What ends such a grant is that its row says so. */
const connector: Connector = {
  align: async () => ({ outcome: 'aligned', changes: [] }),
  open: async () => nothingToOpen,
  moveEnd: async () => ({ outcome: 'moved' }),
  close: async () => ({ outcome: 'closed', existed: false, sessionsEnded: 0 }),
  find: async () => [],
  survey: async () => [],
  end: async () => undefined,
}

const nothing = z.strictObject({})

/** In no registry: configuration cannot declare a resource of it. */
const kind: ConnectorKind = {
  kind: administrationResource,
  about: 'Tidegate itself',
  config: nothing,
  privileges: nothing,
  targetKey: () => administrationResource,
  problems: () => [],
  connect: () => connector,
}

/** @param owner the group of the standing owners: who `@approvers("owner")` means */
export const administrationEntry = (owner: string): ResourceEntry => ({
  resource: {
    id: administrationResource,
    kind: administrationResource,
    labels: {},
    owner,
    whenUnreachable: 'fail',
    gateway: 'none',
  },
  description: 'Tidegate itself',
  kind,
  config: {},
  targetKey: `${administrationResource}:${administrationResource}`,
  roles: new Map((Object.keys(administrationRoles) as AdministrationRole[]).map((name) => [name, roleEntry(name)])),
})

function roleEntry(name: AdministrationRole): RoleEntry {
  const { risk, about } = administrationRoles[name]
  return {
    role: { resource: administrationResource, name, risk },
    description: about,
    spec: { name, risk, privileges: {} },
    rules: { guards: [], masks: [], recording: usualRecording },
  }
}
