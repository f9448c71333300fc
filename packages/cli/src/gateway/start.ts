/** Starting a gateway in this process. */

import type { GatewayOptions, GatewayRefusal, RunningGateway } from '@tidegate/gateway'
import type { ExitName } from '../exit-codes.ts'
import { Failure } from '../failure.ts'

/** @throws {Failure} for what people can do something about */
export async function startGatewayHere(options: GatewayOptions): Promise<RunningGateway> {
  // Every other command does without the gateway's code, and does not wait for it to load.
  const gateway = await import('@tidegate/gateway')
  try {
    return await gateway.startGateway(options)
  } catch (error) {
    if (error instanceof gateway.GatewayRefusal)
      throw new Failure(exits[error.code], error.message, { remedy: error.remedy })
    throw error
  }
}

/** What it exits with: a start that may go well later can be told from one that will not. */
const exits = {
  setting: 'usage',
  'in-use': 'failure',
  unknown: 'unauthenticated',
  unreachable: 'unavailable',
} as const satisfies Record<GatewayRefusal['code'], ExitName>
