/**
 * @tidegate/connectors: opens and closes access on targets, and reads back what is there.
 * Trusted: the target's own answers about itself, and the caller for the truth of leases and configuration. Not trusted:
 * names on the target and in the configuration (always quoted), and the holders of grants, who can reach the target at
 * the same time as a connector does. Secrets come in through `Target.secret` and go out in a `Credential` only.
 */

export type * from './contract.ts'
export { isTargetFault, targetFault } from './contract.ts'
export { makePassword as makeScramPassword } from './postgres/scram.ts'
export { connectorKinds } from './registry.ts'
