/**
 * How an operation is carried out. Who may call it, what it takes and what it answers stands in the API's table;
 * here is only what it does.
 */

import type { OperationId, operations, Output, ParsedInput } from '@tidegate/api'
import type { Kinds } from '../configuration/apply.ts'
import type { SessionRules } from '../configuration/session-rules.ts'
import type { Caller, GatewayCaller } from '../identity/identity.ts'
import type { Courier } from '../notify/deliver.ts'
import type { Activation } from '../lifecycle/activate-grant.ts'
import type { TendDeps } from '../reconciler/reconciler.ts'
import type { MasterKey } from '../secrets/keys.ts'
import type { Unit } from '../store/change.ts'

/** What operations work with. */
export type Services = Activation &
  TendDeps & {
    readonly kinds: Kinds
    readonly key: MasterKey
    /** Where people reach this server. */
    readonly publicUrl: () => string
    /** Absent: a configuration with guards or masks is refused. */
    readonly sessionRules?: SessionRules
    readonly courier: Courier
    readonly log: { readonly integrate: () => Promise<unknown> }
  }

type AuthOf<Op extends OperationId> = (typeof operations)[Op]['auth']

/** Whom the operation's word in the table lets through. */
type CallerOf<Op extends OperationId> =
  AuthOf<Op> extends 'gateway' ? GatewayCaller : AuthOf<Op> extends 'anyone' ? undefined : Caller

export type Call<Op extends OperationId> = {
  readonly services: Services
  readonly caller: CallerOf<Op>
  readonly input: ParsedInput<Op>
}

export type Handler<Op extends OperationId> =
  /** Changes nothing, or sees to its own transactions. `follow`: what there is to answer after that, if anything. */
  | {
      readonly kind: 'plain'
      readonly run: (call: Call<Op>) => Promise<Output<Op>>
      readonly follow?: (call: Call<Op>, output: Output<Op>) => AsyncIterable<Output<Op>> | undefined
    }
  /**
   * One transaction, idempotency included. `after` runs once it is committed, and only then; its answer is what the
   * caller is told.
   */
  | {
      readonly kind: 'change'
      readonly run: (call: Call<Op>, unit: Unit) => Promise<Output<Op>>
      readonly after?: (call: Call<Op>, output: Output<Op>) => Promise<Output<Op>>
    }

export type Handlers = { readonly [Op in OperationId]: Handler<Op> }
export type HandlersOf<Op extends OperationId> = { readonly [One in Op]: Handler<One> }
