import { createHash } from 'node:crypto'

/** As RFC 7636 and RFC 9449 write a hash. */
export const sha256Url = (text: string): string => createHash('sha256').update(text).digest('base64url')
