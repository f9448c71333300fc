/** The roles of Tidegate itself: a resource that is always there, asked for and held like every other. */

import type { Resource, Risk } from './resource.ts'

/** Its id, and its kind: configuration declares neither. */
export const administrationResource = 'tidegate'

type AdministrationEntry = { readonly risk: Risk; readonly about: string }

export const administrationRoles = {
  owner: { risk: 'admin', about: 'Everything here: people, gateways, findings, anyone’s grants, and what is below.' },
  'policy-author': { risk: 'admin', about: 'Plans and applies configuration; who people are takes an owner besides.' },
  auditor: { risk: 'elevated', about: 'Reads everything; approves nothing and changes nothing.' },
} as const satisfies Record<string, AdministrationEntry>

export type AdministrationRole = keyof typeof administrationRoles

export const isAdministrationRole = (name: string): name is AdministrationRole =>
  Object.hasOwn(administrationRoles, name)

/** What is asked for is a role of Tidegate itself. */
export const isAdministration = ({ kind }: Pick<Resource, 'kind'>): boolean => kind === administrationResource
