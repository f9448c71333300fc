/** Policy files into a set of policies, or everything that is wrong with them at once. */

import type { ObligationKind } from '../obligation.ts'
import { duplicateProblems, groupProblems, lookalikes, obligationProblems, schemaProblems } from './check.ts'
import { prepareSchema } from './evaluate.ts'
import { policyLimits } from './limits.ts'
import type { ParsedFile, ParsedPolicy } from './parse.ts'
import { parseFile } from './parse.ts'
import type { Policy, PolicySet } from './policy.ts'
import type { PolicyFile, PolicyProblem } from './problem.ts'
import { compareText, inReadingOrder, problemIn } from './problem.ts'
import { readPolicy } from './read.ts'
import { indexByScope } from './slice.ts'

export type LoadOptions = {
  /** What the caller calls this content, for example a hash of the files; decisions carry it. */
  readonly version: string
  /** Every group there is. Absent: policies may name groups that do not exist (they have no members). */
  readonly knownGroups?: ReadonlySet<string>
  /** Every name that `@guard`, `@mask` and `@record` may take. Absent: policies may name what does not exist. */
  readonly knownObligations?: Readonly<Record<ObligationKind, ReadonlySet<string>>>
}

export type LoadResult =
  | { readonly ok: true; readonly policies: PolicySet }
  /** Never empty; by path, line and column. */
  | { readonly ok: false; readonly problems: readonly PolicyProblem[] }

/** Design §6. No files give a set that denies everything. Throws only where the policy engine itself fails. */
export function loadPolicies(files: readonly PolicyFile[], options: LoadOptions): LoadResult {
  const parsedFiles = files.map(parseFile)
  const parsed = parsedFiles.flatMap((file) => file.policies)
  const tooMany = countProblems(parsed)
  if (tooMany.length > 0) return { ok: false, problems: tooMany }
  const read = parsed.map((one) => ({ parsed: one, ...readPolicy(one) }))
  const good = read.flatMap((one) => ('policy' in one ? [one] : []))
  const problems = [
    ...parsedFiles.flatMap(({ file, faults }: ParsedFile) => faults.map((fault) => problemIn(file, fault))),
    ...read.flatMap((one) => ('faults' in one ? one.faults.map((fault) => problemIn(one.parsed.file, fault)) : [])),
    ...duplicateProblems(good),
    ...schemaProblems(parsed),
    ...parsed.flatMap(lookalikes),
    ...strangers(read, options),
  ]
  if (problems.length > 0) return { ok: false, problems: problems.toSorted(inReadingOrder) }
  prepareSchema()
  return {
    ok: true,
    policies: policySet(
      good.map((one) => one.policy),
      options.version,
    ),
  }
}

function countProblems(parsed: readonly ParsedPolicy[]): PolicyProblem[] {
  const first = parsed[policyLimits.policies]
  if (!first) return []
  const message = `There are more than ${policyLimits.policies} policies.`
  return [problemIn(first.file, { at: first.source.start, message, remedy: 'Use groups and labels to need fewer.' })]
}

const strangers = (
  read: readonly { readonly parsed: ParsedPolicy; readonly policy?: Policy }[],
  { knownGroups: groups, knownObligations: obligations }: LoadOptions,
): PolicyProblem[] =>
  read.flatMap(({ parsed, policy }) => [
    ...(groups ? groupProblems(groups, parsed, policy) : []),
    ...(obligations && policy ? obligationProblems(obligations, parsed, policy) : []),
  ])

function policySet(unsorted: readonly Policy[], version: string): PolicySet {
  const policies = unsorted.toSorted((a, b) => compareText(a.id, b.id))
  const tellStepsApart = policies.some(({ text }) => text.includes('step'))
  return { version, policies, index: indexByScope(policies.map((policy) => policy.scope)), tellStepsApart }
}
