/** A configuration of a shop, and how a test reads its own. */

import type { FieldProblem } from '@tidegate/api'
import { connectorKinds } from '@tidegate/connectors'
import { parseConfiguration } from '../configuration/parse.ts'
import type { Snapshot, SourceFile } from '../configuration/snapshot.ts'

export const tokenHash = (digit: string): string => `sha256:${digit.repeat(64)}`

export const people = `settings: { administrators: tidegate-admins, auditors: security }
users:
  - { id: alice, name: Alice, email: alice@example.com, manager: dora }
  - { id: dora, tokens: [{ hash: '${tokenHash('d')}', expires: '2099-01-01T00:00:00Z' }] }
services:
  - { id: ci, owner: dora, signals: [ticket] }
agents:
  - { id: helper, user: alice }
groups:
  - { id: engineers, members: [alice, service:ci, group:tidegate-admins] }
  - { id: security, members: [agent:helper] }
  - { id: tidegate-admins, members: [dora] }
`

export const shop = `resources:
  - id: orders-db
    kind: postgres
    description: Orders
    labels: { env: production }
    owner: engineers
    connection:
      host: 127.0.0.1
      databases: [orders]
      user: tidegate_admin
      password: env:ORDERS_DB_PASSWORD
      tls: disable
      owner: orders_owner
    roles:
      - name: readonly
        risk: low
        description: Read
        privileges: [{ schema: shop, tables: '*', privileges: [select] }]
`

export const policies = `@id("engineers-read") @max_duration("8h")
permit (principal in Group::"engineers", action == Action::"access", resource in Label::"env=production");
`

export type Texts = Readonly<Record<string, string>>

export const shopFiles: Texts = { 'people.yaml': people, 'shop.yaml': shop, 'access.cedar': policies }

export const filesOf = (texts: Texts): SourceFile[] => Object.entries(texts).map(([path, text]) => ({ path, text }))

export const parse = (texts: Texts, version = 1) =>
  parseConfiguration(filesOf(texts), { version, kinds: connectorKinds })

export function snapshotOf(texts: Texts, version = 1): Snapshot {
  const result = parse(texts, version)
  if (!result.ok) throw new Error(JSON.stringify(result.problems, null, 2))
  return result.snapshot
}

export function problemsOf(texts: Texts): readonly FieldProblem[] {
  const result = parse(texts)
  return result.ok ? [] : result.problems
}
