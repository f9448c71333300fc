/** `npm run model [-- --deep | --planted | --sights]` */

import { performance } from 'node:perf_hooks'
import { parseArgs } from 'node:util'
import { agreedBounds, deepBounds, extendingBounds, smallBounds, tinyBounds } from './bounds.ts'
import type { Exploration } from './explore.ts'
import { explore } from './explore.ts'
import { printExplored, printTrace } from './print.ts'
import { planted, product } from './protocol.ts'
import { sights } from './sights.ts'

const { values } = parseArgs({
  options: {
    deep: { type: 'boolean', default: false },
    planted: { type: 'boolean', default: false },
    sights: { type: 'boolean', default: false },
  },
})

/** Whether everything held. */
function show(title: string, exploration: Exploration): boolean {
  const before = performance.now()
  const explored = explore(exploration)
  const took = ((performance.now() - before) / 1_000).toFixed(1)
  console.log(`\n${title} (${took} s)\n  ${printExplored(explored)}`)
  const { violation } = explored
  if (violation)
    console.log(`  “${violation.invariant}” is broken: ${violation.problem}\n${printTrace(violation.trace)}`)
  return violation === undefined
}

if (values.planted) {
  for (const { name, breaks, protocol, extends: isExtended } of planted) {
    const others = breaks === 'nothing stays open' ? tinyBounds : agreedBounds
    const bounds = isExtended ? extendingBounds : others
    if (show(`Planted: ${name}`, { protocol, bounds })) process.exitCode = 1
  }
} else if (values.sights) {
  show('Without a fault', { protocol: product, bounds: agreedBounds, without: ['fault'], lookFor: sights })
} else {
  const all = values.deep ? deepBounds : { 'as in the tests': smallBounds, 'with an extension': extendingBounds }
  for (const [title, bounds] of Object.entries(all)) {
    if (!show(`The product: ${title}`, { protocol: product, bounds })) process.exitCode = 1
  }
}
