/** Who receives a message can tell that it is ours, and not one of before: the signature of Standard Webhooks 1.0. */

import { createHmac } from 'node:crypto'

const form = /^whsec_([A-Za-z0-9+/]+={0,2})$/
const fewestBytes = 24
const mostBytes = 64

/**
 * In the form of the standard and no other. Whoever writes configuration names the secret and gets what was signed with
 * it: a password of a target must not be one by mistake, or on purpose.
 * @throws with a message that has nothing of the text
 */
export function readSecret(text: string): Buffer {
  const secret = Buffer.from(form.exec(text.trim())?.[1] ?? '', 'base64')
  if (secret.length < fewestBytes || secret.length > mostBytes)
    throw new Error(`It is not whsec_ and ${fewestBytes} to ${mostBytes} bytes in base64.`)
  return secret
}

type Signed = { readonly id: string; readonly timestamp: number; readonly body: string }

/** One for each secret: the receiver takes any that fits, so that secrets change without a moment between. */
export const signaturesOf = ({ id, timestamp, body }: Signed, secrets: readonly Buffer[]): string =>
  secrets
    .map((secret) => `v1,${createHmac('sha256', secret).update(`${id}.${timestamp}.${body}`).digest('base64')}`)
    .join(' ')
