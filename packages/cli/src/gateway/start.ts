/** Starting a gateway in this process. */

import type { GatewayOptions, RunningGateway } from '@tidegate/gateway'
import { Failure } from '../failure.ts'

/** @throws {Failure} for what people can do something about */
export async function startGatewayHere(options: GatewayOptions): Promise<RunningGateway> {
  // Every other command does without the gateway's code, and does not wait for it to load.
  const { GatewayRefusal, startGateway } = await import('@tidegate/gateway')
  try {
    return await startGateway(options)
  } catch (error) {
    if (error instanceof GatewayRefusal) throw new Failure('usage', error.message, { remedy: error.remedy })
    throw error
  }
}
