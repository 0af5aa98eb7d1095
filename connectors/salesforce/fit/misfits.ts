import type { FieldType } from '../../../schemas/field-type.ts'
import type { EntityMapping, MappedField } from '../../destination.ts'
import { lookupOf, relationshipName, sameName, sentFields } from '../record/fields.ts'
import type { DescribedField, DescribedObject } from './describe.ts'

const POLICIES = 'it has `hard` and `ignore`'

/** The objects that have to be described to tell whether a mapping fits. */
export function objectsOf(mapping: EntityMapping): readonly string[] {
  return [mapping.target, ...Object.values(mapping.lookups).map(({ target }) => target)]
}

/**
 * What is missing at Salesforce for a mapping, in words.
 * @param objects the described objects by the name of the mapping; null for one that is not there, or may not be seen
 */
export function misfits(
  mapping: EntityMapping,
  objects: ReadonlyMap<string, DescribedObject | null>,
): readonly string[] {
  const { target } = mapping
  const object = objects.get(target)
  if (!object) return [`object ${target} is not there, or the app's user may not see it`]
  const missing: string[] = []
  const say = (isMissing: boolean, words: string) => {
    if (isMissing) missing.push(`${target}${words}`)
  }
  say(!object.updateable, ': the app’s user may not change it')
  say(!object.createable && !mapping.updateOnly, ': the app’s user may not create it')
  say(mapping.onDelete === 'hard' && !object.deletable, ': the app’s user may not delete it')
  say(
    mapping.onDelete === 'soft' || mapping.onDelete === 'archive',
    `: Salesforce has no delete policy \`${mapping.onDelete}\`; ${POLICIES}`,
  )
  say(mapping.keyFields.length !== 1, ' needs exactly one key field, an external id')
  const keyField = mapping.keyFields[0]
  if (keyField !== undefined) missing.push(...keyMisfits(target, keyField, fieldOf(object, keyField)))
  for (const mapped of sentFields(mapping)) {
    const field = fieldOf(object, mapped.to)
    const where = `.${mapped.to}`
    if (field === undefined) {
      say(true, `${where} is not there, or the app's user may not see it`)
      continue
    }
    say(!field.updateable, `${where} may not be changed`)
    say(
      field.updateable && !field.createable && !mapping.updateOnly,
      `${where} may not be given when an object is made`,
    )
    if (lookupOf(mapping, mapped.to)) missing.push(...lookupMisfits(mapping, mapped.to, field, objects))
    else
      say(!takes(mapped.type, field), `${where} is of type ${field.type}, which does not take ${kindOf(mapped.type)}`)
    say(
      mapped.type.kind === 'decimal' && NUMBERS.has(field.type) && mapped.type.scale > field.scale,
      `${where} keeps ${field.scale} decimals, the mapping has more: Salesforce would round`,
    )
  }
  if (!mapping.updateOnly)
    for (const { name } of object.fields.filter((field) => isRequired(field) && !isMapped(mapping, field.name)))
      say(true, `.${name} is required and not mapped`)
  return missing
}

function keyMisfits(target: string, name: string, field: DescribedField | undefined): readonly string[] {
  const where = `${target}.${name}`
  if (field === undefined) return [`${where} is not there, or the app's user may not see it`]
  return [
    ...(field.externalId ? [] : [`${where} is not marked as an external id`]),
    ...(field.unique ? [] : [`${where} is not unique: a key could have several objects`]),
    ...(['string', 'email'].includes(field.type) ? [] : [`${where} is of type ${field.type}; keys are text`]),
    ...(field.caseSensitive ? [] : [`${where} does not tell upper from lower case: two keys could meet in one object`]),
  ]
}

function lookupMisfits(
  mapping: EntityMapping,
  name: string,
  field: DescribedField,
  objects: ReadonlyMap<string, DescribedObject | null>,
): readonly string[] {
  const where = `${mapping.target}.${name}`
  const { target, keyField } = lookupOf(mapping, name)!
  if (field.type !== 'reference') return [`${where} is of type ${field.type}, no lookup`]
  if (field.referenceTo.length !== 1 || !sameName(field.referenceTo[0]!, target))
    return [`${where} refers to ${field.referenceTo.join(' or ')}, not to ${target} alone`]
  if (field.relationshipName !== relationshipName(name))
    return [`${where} has the relationship name ${field.relationshipName}, expected ${relationshipName(name)}`]
  const object = objects.get(target)
  if (!object) return [`object ${target}, which ${where} refers to, is not there, or the app's user may not see it`]
  const key = fieldOf(object, keyField)
  if (key === undefined) return [`${target}.${keyField}, which ${where} refers by, is not there`]
  return key.externalId && key.unique
    ? []
    : [`${target}.${keyField}, which ${where} refers by, is no unique external id`]
}

function fieldOf(object: DescribedObject, name: string): DescribedField | undefined {
  return object.fields.find((field) => sameName(field.name, name))
}

function isRequired({ nillable, createable, defaultedOnCreate, type }: DescribedField): boolean {
  return !nillable && createable && !defaultedOnCreate && type !== 'boolean'
}

function isMapped({ fields, keyFields }: EntityMapping, name: string): boolean {
  return fields.some(({ to }: MappedField) => sameName(to, name)) || keyFields.some((key) => sameName(key, name))
}

const NUMBERS = new Set(['int', 'long', 'double', 'currency', 'percent'])
const TEXTS = new Set(['string', 'textarea', 'picklist', 'email', 'phone', 'url', 'combobox', 'encryptedstring', 'id'])

function takes(type: FieldType, { type: there }: DescribedField): boolean {
  switch (type.kind) {
    case 'string':
    case 'uuid':
    case 'enum':
    case 'json':
      return TEXTS.has(there) || there === 'reference' || there === 'multipicklist'
    case 'int32':
    case 'int64':
    case 'decimal':
    case 'numeric':
    case 'double':
      return NUMBERS.has(there)
    case 'boolean':
      return there === 'boolean'
    case 'date':
    case 'time':
      return there === type.kind
    case 'timestamp':
    case 'timestamptz':
      return there === 'datetime'
    case 'bytes':
      return there === 'base64'
    case 'array':
      return there === 'multipicklist'
  }
}

function kindOf(type: FieldType): string {
  return type.kind === 'array' ? `a list of ${type.of.kind}` : type.kind
}
