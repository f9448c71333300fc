/**
 * Prints `N passed, N failed` of runs of vitest, from their JSON reports: `closing-line.mjs EXIT_CODE REPORT...`.
 * What keeps a run from being a success without failing a test (a file that does not load, a run that died) counts
 * as one failure each, so that the line never says less than the exit code.
 */

import { readFileSync } from 'node:fs'

const [exitCode, ...reportPaths] = process.argv.slice(2)

function read(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    // It died before it could write one.
    return { numPassedTests: 0, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0, testResults: [] }
  }
}

const unloadedOf = ({ testResults }) =>
  testResults.filter(
    ({ status, assertionResults }) =>
      status === 'failed' && !assertionResults.some((assertion) => assertion.status === 'failed'),
  ).length

const reports = reportPaths.map(read)
const sum = (countOf) => reports.reduce((total, report) => total + countOf(report), 0)
const counted = sum((report) => report.numFailedTests + unloadedOf(report))
const failed = counted === 0 && exitCode !== '0' ? 1 : counted
const skipped = sum((report) => report.numPendingTests + report.numTodoTests)

console.log(
  `${sum((report) => report.numPassedTests)} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`,
)
