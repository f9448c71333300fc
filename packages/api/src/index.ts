/**
 * @tidegate/api: the contract between the server and everything that calls it. Pure data and a thin client.
 * The server trusts nothing here to have been used: it validates every input again.
 */

export * from './errors.ts'
export * from './limits.ts'
export * from './operations.ts'
export * as gatewayShapes from './gateway.ts'
export * from './gateway-limits.ts'
export * from './client.ts'
export * from './openapi.ts'
export * as schemas from './schemas.ts'
