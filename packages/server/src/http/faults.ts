/** Turns whatever was thrown into an error of the table. Nothing internal leaves the process. */

import { ApiError } from '@tidegate/api'
import { limits } from '@tidegate/api'

/** SQLSTATE classes and codes, and socket errors, that mean: the store is not there, or cannot take it now. */
const storeIsGone = /^(08|53|57P|58|25006|XX00)/
const socketErrors = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND', 'EHOSTUNREACH'])
/** Rolled back by the store to let another through: trying again is right. */
const tryAgain = new Set(['40001', '40P01', '55P03', '57014', '25P03'])
/** What node-postgres says in words only. */
const connectionIsGone =
  /^(Connection terminated|Query read timeout|timeout expired|timeout exceeded when trying to connect)|is not queryable$/

export function toApiError(error: unknown): ApiError | undefined {
  if (error instanceof ApiError) return error
  const { code, statusCode, message } = (error ?? {}) as { code?: unknown; statusCode?: unknown; message?: unknown }
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    return new ApiError('body-too-large', { detail: `A body is at most ${limits.bodyBytes} bytes.` })
  }
  if (code === 'FST_ERR_BAD_URL' || code === 'FST_ERR_MAX_PARAM_LENGTH')
    return new ApiError('not-found', { detail: 'There is no such path.' })
  if (statusCode === 413)
    return new ApiError('body-too-large', { detail: `A body is at most ${limits.bodyBytes} bytes.` })
  if (statusCode === 400 || statusCode === 415) return new ApiError('not-json')
  const unavailable =
    (typeof code === 'string' && (storeIsGone.test(code) || socketErrors.has(code) || tryAgain.has(code))) ||
    (typeof message === 'string' && connectionIsGone.test(message))
  return unavailable ? new ApiError('unavailable', { cause: error }) : undefined
}
