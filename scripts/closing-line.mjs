/**
 * Names what failed and why, and prints `N passed, N failed` of runs of vitest, from their JSON reports: `closing-line.mjs EXIT_CODE REPORT...`.
 * What keeps a run from being a success without failing a test (a file that does not load, a run that died) counts
 * as one failure each, so that the line never says less than the exit code.
 */

import { readFileSync } from 'node:fs'
import { relative } from 'node:path'
import { stripVTControlCharacters } from 'node:util'

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

/** Of a long message, as much as tells one failure from another: all of it is further up. */
const messageLines = 12

const why = (message) =>
  stripVTControlCharacters(message)
    .split('\n')
    .filter((line) => !/^\s+at .*node_modules/.test(line))
    .slice(0, messageLines)
    .map((line) => `    ${line}`)
    .join('\n')

const told = (file, { fullName, failureMessages }) =>
  `${relative('.', file)}: ${fullName}\n${why(failureMessages.join('\n'))}`

function failuresOf({ name, status, message, assertionResults }) {
  const failed = assertionResults.filter((assertion) => assertion.status === 'failed')
  if (failed.length > 0 || status !== 'failed') return failed.map((assertion) => told(name, assertion))
  return [`${relative('.', name)} did not load\n${why(message)}`]
}

/** What passed when it was tried again says why it had not. */
const passedLater = ({ name, assertionResults }) =>
  assertionResults
    .filter(({ status, failureMessages }) => status === 'passed' && failureMessages.length > 0)
    .map((assertion) => told(name, assertion))

function list(heading, items) {
  if (items.length > 0) console.log([heading, ...items].join('\n'))
}

const reports = reportPaths.map(read)
const files = reports.flatMap(({ testResults }) => testResults)
list('Passed only when tried again:', files.flatMap(passedLater))
list('Failed:', files.flatMap(failuresOf))

const sum = (countOf) => reports.reduce((total, report) => total + countOf(report), 0)
const counted = sum((report) => report.numFailedTests + unloadedOf(report))
const failed = counted === 0 && exitCode !== '0' ? 1 : counted
const skipped = sum((report) => report.numPendingTests + report.numTodoTests)

console.log(
  `${sum((report) => report.numPassedTests)} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`,
)
