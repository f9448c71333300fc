/** How much a role or a standing privilege can do, at a glance. */

import type { Output } from '@tidegate/api'
import type { Part } from '../output.ts'
import { styled } from '../output.ts'

type Risk = Output<'getResource'>['roles'][number]['risk']

const styles = { low: 'green', elevated: 'yellow', admin: 'red' } as const

export const riskPart = (risk: Risk): Part => styled(styles[risk], risk)
