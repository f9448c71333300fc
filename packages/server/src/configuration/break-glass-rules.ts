/** What break-glass names has to be there: a slip is found when it is written, and not in an emergency. */

import type { FieldProblem } from '@tidegate/api'
import { administrationResource, isAdministrationRole } from '@tidegate/core'
import { mayBeInDirectory } from './identity-rules.ts'
import type { Member } from './membership.ts'
import { readMember } from './membership.ts'
import type { ReadFile } from './read.ts'
import type { Declared } from './snapshot.ts'

export function breakGlassProblems(files: readonly ReadFile[], declared: Declared): FieldProblem[] {
  return files.flatMap((file) => {
    const { breakGlass } = file.declared
    if (!breakGlass) return []
    const at = (...path: (string | number)[]): string => file.at(['breakGlass', ...path])
    const { people, roles, review, notify } = breakGlass
    const group = (id: string, field: string): FieldProblem[] => memberProblem(declared, { kind: 'group', id }, field)
    return [
      ...people.flatMap((text, index) => memberProblem(declared, readMember(text), at('people', index))),
      ...roles.flatMap((role, index) => roleProblem(declared, role, at('roles', index))),
      ...group(review.by, at('review', 'by')),
      ...notify.flatMap((id, index) => group(id, at('notify', index))),
    ]
  })
}

function memberProblem({ users, groups, identity }: Declared, { kind, id }: Member, field: string): FieldProblem[] {
  if (kind !== 'user' && kind !== 'group')
    return [{ field, message: 'Only people break glass.', remedy: 'Name a user, or a group: group:NAME.' }]
  const known = kind === 'user' ? users : groups
  if (known.some((one) => one.id === id) || mayBeInDirectory(identity, { kind, id })) return []
  return [{ field, message: `There is no ${kind} ${id}.`, remedy: 'Declare it, or correct the name.' }]
}

function roleProblem({ resources }: Declared, text: string, field: string): FieldProblem[] {
  const [resource = '', role = ''] = text.split('/')
  const known =
    resource === administrationResource
      ? isAdministrationRole(role)
      : resources.some(({ id, roles }) => id === resource && roles.some(({ name }) => name === role))
  return known ? [] : [{ field, message: `There is no role ${text}.`, remedy: 'Declare it, or correct the name.' }]
}
