/** Whether a gateway has enrolled, and the token with which it does. Never from an argument list. */

import { access } from 'node:fs/promises'
import { join } from 'node:path'
import type { Invocation } from '../context.ts'
import { isMissing } from '../private-file.ts'
import { readSecret } from '../prompt.ts'
import { gatewaySetting } from './settings.ts'

/** `undefined`: it has an identity, or there is nothing on stdin. */
export async function enrolmentTokenFor(invocation: Invocation, dir: string): Promise<string | undefined> {
  const given = gatewaySetting(invocation.env, 'enrolmentToken')
  if (given !== undefined || (await hasEnrolled(dir))) return given
  return (await readSecret(invocation, 'Enrolment token: ')) || undefined
}

/** The gateway writes this file when the control plane has taken its key. */
export async function hasEnrolled(dir: string): Promise<boolean> {
  try {
    await access(join(dir, 'identity.json'))
    return true
  } catch (error) {
    if (isMissing(error)) return false
    throw error
  }
}
