/**
 * Why a gateway does not start: as it is set up, because the folder or the place to listen is somebody else's, because
 * the control plane does not know it, or because none answers, which is the one that trying again helps against.
 */
export type RefusalCode = 'setting' | 'in-use' | 'unknown' | 'unreachable'

/** A gateway does not start like this. Says why and what to do; for people, no stack trace wanted. */
export class GatewayRefusal extends Error {
  readonly code: RefusalCode
  readonly remedy: string

  constructor(code: RefusalCode, message: string, remedy: string) {
    super(message)
    this.name = 'GatewayRefusal'
    this.code = code
    this.remedy = remedy
  }
}

export function cannotListen({ host, port }: { readonly host: string; readonly port: number }, error: unknown): never {
  throw new GatewayRefusal(
    'in-use',
    `${host}:${port} cannot be listened on: ${error instanceof Error ? error.message : String(error)}.`,
    'Choose another address or port, or stop what has it.',
  )
}
