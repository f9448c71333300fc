/**
 * Prints `N passed, N failed` of a run of vitest, from its JSON report: `closing-line.mjs REPORT EXIT_CODE`.
 * What keeps a run from being a success without failing a test (a file that does not load, a run that died) counts
 * as one failure each, so that the line never says less than the exit code.
 */

import { readFileSync } from 'node:fs'

const [reportPath, exitCode] = process.argv.slice(2)

function read() {
  try {
    return JSON.parse(readFileSync(reportPath, 'utf8'))
  } catch {
    // It died before it could write one.
    return { numPassedTests: 0, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0, testResults: [] }
  }
}

const report = read()
const unloaded = report.testResults.filter(
  ({ status, assertionResults }) =>
    status === 'failed' && !assertionResults.some((assertion) => assertion.status === 'failed'),
).length
const counted = report.numFailedTests + unloaded
const failed = counted === 0 && exitCode !== '0' ? 1 : counted
const skipped = report.numPendingTests + report.numTodoTests

console.log(`${report.numPassedTests} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
