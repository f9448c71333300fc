/**
 * The statements of PostgreSQL's grammar. One row each; a statement without a row is refused by every guard, so that
 * what a later grammar adds is closed until someone has thought about it.
 */

import { listAt, textAt, wrapped, type Fields } from './nodes.ts'

/** What a guard does not see in the tree of a statement. */
export type Hidden =
  /** It runs or plants code, or reaches another system: refused by every guard, unless rules allow the kind. */
  | 'code'
  /** It changes who may do what, or how later sessions begin: refused by every guard, unless rules allow the kind. */
  | 'lasting'
  /** It names what it works on in ways that rules about tables do not follow: refused where there are such rules. */
  | 'names'

type StatementRow = {
  /** What people call it. The first kind is the statement's, the others are what it also does. */
  readonly kinds: (fields: Fields) => readonly string[]
  readonly hides?: Hidden | ((fields: Fields) => Hidden | undefined)
  /** May stand in read-only access. Its parts have to be allowed there too. */
  readonly reads?: true
}

const named = (...kinds: readonly string[]) => {
  return () => kinds
}

/** The kind of object in the words of a command: `OBJECT_MATVIEW` is a materialized view. */
const objectNames: Readonly<Record<string, string>> = {
  MATVIEW: 'MATERIALIZED VIEW',
  TABCONSTRAINT: 'CONSTRAINT',
  DOMCONSTRAINT: 'CONSTRAINT',
  OPCLASS: 'OPERATOR CLASS',
  OPFAMILY: 'OPERATOR FAMILY',
  STATISTIC_EXT: 'STATISTICS',
  FDW: 'FOREIGN DATA WRAPPER',
  FOREIGN_SERVER: 'SERVER',
  ATTRIBUTE: 'TYPE',
  COLUMN: 'TABLE',
}

const onObject = (verb: string, field: string) => (fields: Fields) => {
  const name = (textAt(fields, field) ?? '').replace(/^OBJECT_/, '')
  return [`${verb} ${objectNames[name] ?? name.replaceAll('_', ' ')}`.trim()]
}

/** What is said of these holds for everyone, and the comment of a role may be Tidegate's own. */
const lastingObjects = ['OBJECT_ROLE', 'OBJECT_DATABASE', 'OBJECT_TABLESPACE', 'OBJECT_POLICY']

const lastingObject = (field: string) => (fields: Fields) =>
  lastingObjects.includes(textAt(fields, field) ?? '') ? 'lasting' : 'names'

/** Whose the table is, whose rows are seen, and what runs when it changes. */
const lastingCommands = /^AT_(?:ChangeOwner|.*RowSecurity|.*Trig.*|.*Rule)$/

/** In the order of the chapters of the manual: queries and changes, cursors, sessions, then everything that defines. */
const rows = {
  SelectStmt: { kinds: selectKinds, reads: true },
  InsertStmt: { kinds: insertKinds },
  UpdateStmt: { kinds: named('UPDATE') },
  DeleteStmt: { kinds: named('DELETE') },
  MergeStmt: { kinds: mergeKinds },
  CopyStmt: { kinds: copyKinds, reads: true },
  TruncateStmt: { kinds: named('TRUNCATE') },
  LockStmt: { kinds: named('LOCK') },

  ExplainStmt: { kinds: named('EXPLAIN'), reads: true },
  PrepareStmt: { kinds: named('PREPARE'), reads: true },
  // Whatever it runs was judged when it was prepared: nothing gets a name at the target past the guard.
  ExecuteStmt: { kinds: named('EXECUTE'), reads: true },
  DeallocateStmt: { kinds: named('DEALLOCATE'), reads: true },
  DeclareCursorStmt: { kinds: named('DECLARE'), reads: true },
  FetchStmt: { kinds: (fields) => [fields['ismove'] === true ? 'MOVE' : 'FETCH'], reads: true },
  ClosePortalStmt: { kinds: named('CLOSE'), reads: true },
  CallStmt: { kinds: named('CALL'), hides: 'names' },
  DoStmt: { kinds: named('DO'), hides: 'code' },

  TransactionStmt: { kinds: transactionKinds, reads: true },
  VariableSetStmt: { kinds: (fields) => [/RESET/.test(textAt(fields, 'kind') ?? '') ? 'RESET' : 'SET'], reads: true },
  VariableShowStmt: { kinds: named('SHOW'), reads: true },
  ConstraintsSetStmt: { kinds: named('SET CONSTRAINTS') },
  DiscardStmt: { kinds: named('DISCARD') },
  ListenStmt: { kinds: named('LISTEN'), reads: true },
  UnlistenStmt: { kinds: named('UNLISTEN'), reads: true },
  NotifyStmt: { kinds: named('NOTIFY') },
  LoadStmt: { kinds: named('LOAD'), hides: 'code' },

  CreateStmt: { kinds: named('CREATE TABLE') },
  CreateTableAsStmt: { kinds: createAsKinds },
  ViewStmt: { kinds: named('CREATE VIEW') },
  IndexStmt: { kinds: named('CREATE INDEX') },
  CreateSeqStmt: { kinds: named('CREATE SEQUENCE') },
  CreateStatsStmt: { kinds: named('CREATE STATISTICS'), hides: 'names' },
  CreateSchemaStmt: { kinds: named('CREATE SCHEMA'), hides: 'names' },
  CreateDomainStmt: { kinds: named('CREATE DOMAIN'), hides: 'names' },
  CreateEnumStmt: { kinds: named('CREATE TYPE'), hides: 'names' },
  CreateRangeStmt: { kinds: named('CREATE TYPE'), hides: 'code' },
  CompositeTypeStmt: { kinds: named('CREATE TYPE'), hides: 'names' },
  AlterTableStmt: { kinds: onObject('ALTER', 'objtype'), hides: lastingCommand },
  AlterSeqStmt: { kinds: named('ALTER SEQUENCE') },
  AlterStatsStmt: { kinds: named('ALTER STATISTICS'), hides: 'names' },
  AlterDomainStmt: { kinds: named('ALTER DOMAIN'), hides: 'names' },
  AlterEnumStmt: { kinds: named('ALTER TYPE'), hides: 'names' },
  AlterTypeStmt: { kinds: named('ALTER TYPE'), hides: 'code' },
  AlterCollationStmt: { kinds: named('ALTER COLLATION'), hides: 'names' },
  AlterTSConfigurationStmt: { kinds: named('ALTER TEXT SEARCH CONFIGURATION'), hides: 'names' },
  AlterTSDictionaryStmt: { kinds: named('ALTER TEXT SEARCH DICTIONARY'), hides: 'names' },
  AlterObjectSchemaStmt: { kinds: onObject('ALTER', 'objectType'), hides: 'names' },
  AlterObjectDependsStmt: { kinds: onObject('ALTER', 'objectType'), hides: 'names' },
  AlterTableMoveAllStmt: { kinds: onObject('ALTER', 'objtype'), hides: 'names' },
  RenameStmt: { kinds: onObject('ALTER', 'renameType'), hides: lastingObject('renameType') },
  DropStmt: { kinds: onObject('DROP', 'removeType'), hides: lastingObject('removeType') },
  CommentStmt: { kinds: named('COMMENT'), hides: lastingObject('objtype') },
  ClusterStmt: { kinds: named('CLUSTER') },
  ReindexStmt: { kinds: named('REINDEX'), hides: 'names' },
  RefreshMatViewStmt: { kinds: named('REFRESH MATERIALIZED VIEW') },
  VacuumStmt: { kinds: (fields) => [fields['is_vacuumcmd'] === true ? 'VACUUM' : 'ANALYZE'], hides: 'names' },
  CheckPointStmt: { kinds: named('CHECKPOINT'), hides: 'names' },

  CreateFunctionStmt: {
    kinds: (fields) => [`CREATE ${fields['is_procedure'] === true ? 'PROCEDURE' : 'FUNCTION'}`],
    hides: 'code',
  },
  AlterFunctionStmt: { kinds: onObject('ALTER', 'objtype'), hides: 'code' },
  CreateTrigStmt: { kinds: named('CREATE TRIGGER'), hides: 'code' },
  CreateEventTrigStmt: { kinds: named('CREATE EVENT TRIGGER'), hides: 'code' },
  AlterEventTrigStmt: { kinds: named('ALTER EVENT TRIGGER'), hides: 'code' },
  RuleStmt: { kinds: named('CREATE RULE'), hides: 'code' },
  DefineStmt: { kinds: onObject('CREATE', 'kind'), hides: 'code' },
  CreateCastStmt: { kinds: named('CREATE CAST'), hides: 'code' },
  CreateConversionStmt: { kinds: named('CREATE CONVERSION'), hides: 'code' },
  CreateTransformStmt: { kinds: named('CREATE TRANSFORM'), hides: 'code' },
  CreateOpClassStmt: { kinds: named('CREATE OPERATOR CLASS'), hides: 'code' },
  CreateOpFamilyStmt: { kinds: named('CREATE OPERATOR FAMILY'), hides: 'code' },
  AlterOpFamilyStmt: { kinds: named('ALTER OPERATOR FAMILY'), hides: 'code' },
  AlterOperatorStmt: { kinds: named('ALTER OPERATOR'), hides: 'code' },
  CreateAmStmt: { kinds: named('CREATE ACCESS METHOD'), hides: 'code' },
  CreatePLangStmt: { kinds: named('CREATE LANGUAGE'), hides: 'code' },
  CreateExtensionStmt: { kinds: named('CREATE EXTENSION'), hides: 'code' },
  AlterExtensionStmt: { kinds: named('ALTER EXTENSION'), hides: 'code' },
  AlterExtensionContentsStmt: { kinds: named('ALTER EXTENSION'), hides: 'code' },

  CreateFdwStmt: { kinds: named('CREATE FOREIGN DATA WRAPPER'), hides: 'code' },
  AlterFdwStmt: { kinds: named('ALTER FOREIGN DATA WRAPPER'), hides: 'code' },
  CreateForeignServerStmt: { kinds: named('CREATE SERVER'), hides: 'code' },
  AlterForeignServerStmt: { kinds: named('ALTER SERVER'), hides: 'code' },
  CreateForeignTableStmt: { kinds: named('CREATE FOREIGN TABLE'), hides: 'code' },
  ImportForeignSchemaStmt: { kinds: named('IMPORT FOREIGN SCHEMA'), hides: 'code' },
  CreateUserMappingStmt: { kinds: named('CREATE USER MAPPING'), hides: 'code' },
  AlterUserMappingStmt: { kinds: named('ALTER USER MAPPING'), hides: 'code' },
  DropUserMappingStmt: { kinds: named('DROP USER MAPPING'), hides: 'code' },
  CreateSubscriptionStmt: { kinds: named('CREATE SUBSCRIPTION'), hides: 'code' },
  AlterSubscriptionStmt: { kinds: named('ALTER SUBSCRIPTION'), hides: 'code' },
  DropSubscriptionStmt: { kinds: named('DROP SUBSCRIPTION'), hides: 'code' },
  CreatePublicationStmt: { kinds: named('CREATE PUBLICATION'), hides: 'code' },
  AlterPublicationStmt: { kinds: named('ALTER PUBLICATION'), hides: 'code' },

  CreateRoleStmt: { kinds: named('CREATE ROLE'), hides: 'lasting' },
  AlterRoleStmt: { kinds: named('ALTER ROLE'), hides: 'lasting' },
  AlterRoleSetStmt: { kinds: named('ALTER ROLE'), hides: 'lasting' },
  DropRoleStmt: { kinds: named('DROP ROLE'), hides: 'lasting' },
  GrantStmt: { kinds: grantKinds, hides: 'lasting' },
  GrantRoleStmt: { kinds: grantKinds, hides: 'lasting' },
  AlterDefaultPrivilegesStmt: { kinds: named('ALTER DEFAULT PRIVILEGES'), hides: 'lasting' },
  AlterOwnerStmt: { kinds: onObject('ALTER', 'objectType'), hides: 'lasting' },
  ReassignOwnedStmt: { kinds: named('REASSIGN OWNED'), hides: 'lasting' },
  DropOwnedStmt: { kinds: named('DROP OWNED'), hides: 'lasting' },
  CreatePolicyStmt: { kinds: named('CREATE POLICY'), hides: 'lasting' },
  AlterPolicyStmt: { kinds: named('ALTER POLICY'), hides: 'lasting' },
  SecLabelStmt: { kinds: named('SECURITY LABEL'), hides: 'lasting' },
  ReplicaIdentityStmt: { kinds: named('ALTER TABLE'), hides: 'lasting' },
  CreatedbStmt: { kinds: named('CREATE DATABASE'), hides: 'lasting' },
  AlterDatabaseStmt: { kinds: named('ALTER DATABASE'), hides: 'lasting' },
  AlterDatabaseRefreshCollStmt: { kinds: named('ALTER DATABASE'), hides: 'lasting' },
  AlterDatabaseSetStmt: { kinds: named('ALTER DATABASE'), hides: 'lasting' },
  DropdbStmt: { kinds: named('DROP DATABASE'), hides: 'lasting' },
  CreateTableSpaceStmt: { kinds: named('CREATE TABLESPACE'), hides: 'lasting' },
  AlterTableSpaceOptionsStmt: { kinds: named('ALTER TABLESPACE'), hides: 'lasting' },
  DropTableSpaceStmt: { kinds: named('DROP TABLESPACE'), hides: 'lasting' },
  AlterSystemStmt: { kinds: named('ALTER SYSTEM'), hides: 'lasting' },
} as const satisfies Record<string, StatementRow>

const statementRows: Readonly<Record<string, StatementRow>> = rows

export const statementRow = (type: string): StatementRow | undefined =>
  Object.hasOwn(statementRows, type) ? statementRows[type] : undefined

export const hiddenIn = ({ hides }: StatementRow, fields: Fields): Hidden | undefined =>
  typeof hides === 'function' ? hides(fields) : hides

export const statementTypes: readonly string[] = Object.keys(rows)

function lastingCommand(fields: Fields): Hidden | undefined {
  const commands = listAt(fields, 'cmds').map((command) => textAt(wrapped(command)?.fields ?? {}, 'subtype') ?? '')
  return commands.some((command) => lastingCommands.test(command)) ? 'lasting' : undefined
}

function selectKinds(fields: Fields): readonly string[] {
  if (fields['intoClause'] !== undefined) return ['SELECT INTO', 'SELECT']
  if (fields['lockingClause'] !== undefined) return ['SELECT FOR UPDATE', 'SELECT']
  return [fields['valuesLists'] === undefined ? 'SELECT' : 'VALUES']
}

function insertKinds(fields: Fields): readonly string[] {
  const conflict = fields['onConflictClause'] as Fields | undefined
  return conflict?.['action'] === 'ONCONFLICT_UPDATE' ? ['INSERT', 'UPDATE'] : ['INSERT']
}

function mergeKinds(fields: Fields): readonly string[] {
  const commands = listAt(fields, 'mergeWhenClauses').map((clause) => wrapped(clause)?.fields['commandType'])
  const also = ['INSERT', 'UPDATE', 'DELETE'].filter((kind) => commands.includes(`CMD_${kind}`))
  return ['MERGE', ...also]
}

function copyKinds(fields: Fields): readonly string[] {
  if (fields['is_from'] === true) return ['COPY FROM', 'INSERT']
  return fields['relation'] === undefined ? ['COPY TO'] : ['COPY TO', 'SELECT']
}

function createAsKinds(fields: Fields): readonly string[] {
  return [fields['objtype'] === 'OBJECT_MATVIEW' ? 'CREATE MATERIALIZED VIEW' : 'CREATE TABLE AS']
}

function grantKinds(fields: Fields): readonly string[] {
  return [fields['is_grant'] === true ? 'GRANT' : 'REVOKE']
}

/** `TRANS_STMT_ROLLBACK_TO` is ROLLBACK TO. */
function transactionKinds(fields: Fields): readonly string[] {
  const words = (textAt(fields, 'kind') ?? 'TRANS_STMT_BEGIN').replace('TRANS_STMT_', '').replaceAll('_', ' ')
  return [words === 'PREPARE' ? 'PREPARE TRANSACTION' : words]
}

/** `DROP` in a rule is every DROP, `DROP TABLE` is that one. */
export const isOfKind = (kind: string, wanted: string): boolean => kind === wanted || kind.startsWith(`${wanted} `)

/** What kinds are made of fields begin with. */
const madeWords = 'VALUES START COMMIT ROLLBACK SAVEPOINT RELEASE MOVE RESET VACUUM GRANT'.split(' ')

const firstWords: ReadonlySet<string> = new Set(
  statementTypes
    .flatMap((type) => statementRow(type)?.kinds({}) ?? [])
    .map(firstWord)
    .concat(madeWords),
)

export const isStatementKind = (kind: string): boolean => firstWords.has(firstWord(kind))

function firstWord(kind: string): string {
  return kind.split(' ')[0] ?? ''
}
