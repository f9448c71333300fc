/** The kinds of target that Tidegate can open. Adding one is adding a row. */

import type { ConnectorKind } from './contract.ts'
import { postgres } from './postgres/kind.ts'

const kinds: readonly ConnectorKind[] = [postgres]

/** By the `kind` of a resource. A map, so that no word finds what an object inherits. */
export const connectorKinds: ReadonlyMap<string, ConnectorKind> = new Map(kinds.map((one) => [one.kind, one]))
