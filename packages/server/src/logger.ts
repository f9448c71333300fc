/** The process log: JSON lines. What may hold a secret is left out by name, whatever path it stands on. */

import { pino } from 'pino'
import type { DestinationStream, Logger } from 'pino'

const secrets = ['secret', 'password', 'token', 'authorization', 'verifier', 'connectionString', 'secretUrl', 'key']

export function createLogger(level: string, destination?: DestinationStream): Logger {
  const options = {
    level,
    base: { name: 'tidegate' },
    redact: { paths: secrets.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]), censor: '[left out]' },
    serializers: { err: describe },
  }
  return destination ? pino(options, destination) : pino(options)
}

type Described = { type: string; message: string; code?: string; stack?: string; cause?: Described }

/** A database error carries the statement's detail, which can hold data: only code, message and stack are kept. */
function describe(error: unknown): Described {
  if (!(error instanceof Error)) return { type: typeof error, message: 'not an error' }
  const { code } = error as { code?: unknown }
  return {
    type: error.name,
    message: error.message,
    ...(typeof code === 'string' && { code }),
    ...(error.stack !== undefined && { stack: error.stack }),
    ...(error.cause !== undefined && { cause: describe(error.cause) }),
  }
}
