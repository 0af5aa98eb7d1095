import type { MappedField } from '../../../connectors/destination.ts'
import { constant } from '../../../consumers/transforms/constant.ts'
import { type CustomFunctions, custom } from '../../../consumers/transforms/custom.ts'
import { format, parseFormat } from '../../../consumers/transforms/format.ts'
import { join } from '../../../consumers/transforms/join.ts'
import { type Literal, literalValue, typeOfLiterals } from '../../../consumers/transforms/literal.ts'
import { lookUp } from '../../../consumers/transforms/lookup-table.ts'
import { orDefault } from '../../../consumers/transforms/or-default.ts'
import { split } from '../../../consumers/transforms/split.ts'
import { hasTextForm } from '../../../consumers/transforms/text-form.ts'
import { type FieldType, formatFieldType, parseFieldType, type Value } from '../../../schemas/field-type.ts'
import { type Shown, suggestName } from '../checks/unchecked-values.ts'
import { didYouMean, type Path, shownName } from '../problem.ts'
import type { WrittenField, WrittenTransform } from './field-definition.ts'

/** What is wrong with what stands at a destination field, and where in it. */
export interface FieldFault {
  readonly path: Path
  readonly message: string
  readonly suggestion?: string | undefined
  readonly at?: 'key'
}

/** How a destination field is made, or everything that is wrong with it. */
export type PlannedField = Omit<MappedField, 'to'> | { readonly faults: readonly FieldFault[] }

/** The transforms, and what else each may have beside `default`. */
const COMPANIONS = {
  join: ['with'],
  split: ['by', 'part'],
  lookup: ['from', 'type'],
  format: ['from'],
  constant: ['type'],
  custom: ['from', 'type'],
} as const satisfies Readonly<Record<string, readonly string[]>>

type TransformName = keyof typeof COMPANIONS
const TRANSFORMS = Object.keys(COMPANIONS) as readonly TransformName[]

/**
 * How a destination field is filled. Pure.
 * @param types of the entity's fields
 * @param functions the custom transforms; they may be loaded later
 * @param shown how a text at a path may be shown: not what came from the environment
 */
export function planField(
  written: WrittenField,
  types: ReadonlyMap<string, FieldType>,
  functions: CustomFunctions,
  shown: Shown = (_, text) => shownName(text),
): PlannedField {
  const planner = new Planner(types, shown)
  const planned = typeof written === 'string' ? planner.plain(written, []) : planner.transformed(written, functions)
  return planner.faults.length > 0 || planned === undefined ? { faults: planner.faults } : planned
}

type Made = Omit<MappedField, 'to'>

class Planner {
  readonly faults: FieldFault[] = []
  readonly #types: ReadonlyMap<string, FieldType>
  readonly #shown: Shown

  constructor(types: ReadonlyMap<string, FieldType>, shown: Shown) {
    this.#types = types
    this.#shown = shown
  }

  plain(from: string, path: Path): Made | undefined {
    const type = this.#typeOf(from, path)
    return type && { from: [from], type, transform: null }
  }

  transformed(written: WrittenTransform, functions: CustomFunctions): Made | undefined {
    const [name, ...others] = TRANSFORMS.filter((one) => written[one] !== undefined)
    for (const other of others)
      this.#fault(
        [other],
        `a destination field has one transform, and this has \`${name}\` already`,
        'remove one',
        'key',
      )
    if (others.length > 0) return undefined
    const companions: readonly string[] = name === undefined ? ['from'] : COMPANIONS[name]
    for (const key of Object.keys(written)) {
      const isOwn = key === name || companions.includes(key) || (key === 'default' && name !== 'constant')
      if (isOwn || written[key as keyof WrittenTransform] === undefined) continue
      const homes = TRANSFORMS.filter((one) => (COMPANIONS[one] as readonly string[]).includes(key))
      const home = homes.length > 0 ? `it belongs to ${homes.map((one) => `\`${one}\``).join(', ')}` : 'remove it'
      this.#fault([key], `\`${key}\` says nothing ${name === undefined ? 'here' : `beside \`${name}\``}`, home, 'key')
    }
    const made = this.#made(name, written, functions)
    return made && written.default !== undefined && name !== 'constant' && name !== 'lookup'
      ? this.#withDefault(made, written.default)
      : made
  }

  #made(name: TransformName | undefined, written: WrittenTransform, functions: CustomFunctions): Made | undefined {
    switch (name) {
      case undefined: {
        if (written.from === undefined) {
          this.#fault([], 'does not say what fills it', 'write `from`, or a transform such as `join`', 'key')
          return undefined
        }
        const from = this.#one(written)
        return from === undefined ? undefined : this.plain(from, ['from'])
      }
      case 'join': {
        const { join: from = [], with: separator = ' ' } = written
        const types = this.#texts(from, (at) => ['join', at], 'joined')
        return types && { from, type: { kind: 'string' }, transform: join(types, separator) }
      }
      case 'split':
        return this.#split(written)
      case 'lookup':
        return this.#lookup(written)
      case 'format':
        return this.#format(written)
      case 'constant':
        return this.#constant(written)
      case 'custom':
        return this.#custom(written, functions)
    }
  }

  #split({ split: from = '', by, part }: WrittenTransform): Made | undefined {
    const type = this.#typeOf(from, ['split'])
    if (by === undefined) this.#fault(['split'], '`by` is missing', 'it is what stands between the parts', 'key')
    if (part === undefined) this.#fault(['split'], '`part` is missing', '1 is the first, -1 the last', 'key')
    if (part === 0) this.#fault(['part'], 'parts are counted from 1', '1 is the first, -1 the last')
    if (type && type.kind !== 'string') {
      this.#fault(['split'], `values of type \`${formatFieldType(type)}\` cannot be split`, 'only a string has parts')
      return undefined
    }
    if (type === undefined || by === undefined || !part) return undefined
    return { from: [from], type, transform: split(by, part) }
  }

  #format({ format: written = '', from }: WrittenTransform): Made | undefined {
    const pieces = parseFormat(written)
    if (pieces === undefined) {
      this.#fault(['format'], 'has a brace that is no field', 'write `{field}`, or `{{` and `}}` for plain braces')
      return undefined
    }
    const used = [...new Set(pieces.flatMap((piece) => ('field' in piece ? [piece.field] : [])))]
    const named = from === undefined ? used : listOf(from)
    for (const [at, name] of named.entries())
      if (!used.includes(name))
        this.#fault(
          pathOf(from, at),
          `${this.#shown(pathOf(from, at), name)} is not in the format`,
          'write it there in braces, or leave it out',
        )
    for (const name of used)
      if (!named.includes(name))
        this.#fault(
          ['format'],
          `${this.#shown(['format'], `{${name}}`)} is not in \`from\``,
          'name it there, or leave `from` out',
        )
    if (used.length === 0)
      this.#fault(['format'], 'has no field in braces', 'write `constant` for a text that is always the same')
    const types = this.#texts(named, (at) => (from === undefined ? ['format'] : pathOf(from, at)), 'formatted')
    return types && { from: named, type: { kind: 'string' }, transform: format(pieces, named, types) }
  }

  #lookup(written: WrittenTransform): Made | undefined {
    const from = written.from === undefined ? undefined : this.#one(written)
    if (written.from === undefined)
      this.#fault(['lookup'], '`from` is missing', 'it names the field that is looked up', 'key')
    const fromType = from === undefined ? undefined : this.#texts([from], () => ['from'], 'looked up')?.[0]
    const { lookup = {}, default: otherwise } = written
    const rows = Object.entries(lookup)
    if (rows.length === 0) this.#fault(['lookup'], 'the table is empty', 'write what each value becomes', 'key')
    if (rows.length === 0) return undefined
    const literals = rows.flatMap(([, literal]) => (literal === null ? [] : [literal]))
    const type = this.#literalType('lookup', written, otherwise === undefined ? literals : [...literals, otherwise])
    if (fromType)
      this.#checkRows(
        fromType,
        rows.map(([key]) => key),
        otherwise !== undefined,
      )
    if (fromType === undefined || type === undefined || from === undefined) return undefined
    const table = new Map<string, Value>()
    for (const [key, literal] of rows) {
      const value = literal === null ? null : this.#literal(type, literal, ['lookup', key])
      if (value !== undefined) table.set(key, value)
    }
    const fallback = otherwise === undefined ? undefined : this.#literal(type, otherwise, ['default'])
    const transform = lookUp(fromType, table, fallback)
    return { from: [from], type, transform: fallback === undefined ? transform : orDefault(transform, fallback) }
  }

  #constant(written: WrittenTransform): Made | undefined {
    const type = this.#literalType('constant', written, [written.constant!])
    const value = type && this.#literal(type, written.constant!, ['constant'])
    return value === undefined || type === undefined ? undefined : { from: [], type, transform: constant(value) }
  }

  #custom({ custom: name = '', from, type: written }: WrittenTransform, functions: CustomFunctions): Made | undefined {
    if (from === undefined)
      this.#fault(['custom'], '`from` is missing', 'it names the fields that the function gets', 'key')
    if (written === undefined)
      this.#fault(['custom'], '`type` is missing', 'it is the type of what the function gives', 'key')
    const names = from === undefined ? [] : listOf(from)
    const types = names.map((one, at) => this.#typeOf(one, pathOf(from, at)))
    if (written === undefined || from === undefined || types.includes(undefined)) return undefined
    const type = parseFieldType(written)
    return { from: names, type, transform: custom(name, functions, type) }
  }

  #withDefault({ from, type, transform }: Made, literal: Literal): Made | undefined {
    const otherwise = this.#literal(type, literal, ['default'])
    return otherwise === undefined ? undefined : { from, type, transform: orDefault(transform, otherwise) }
  }

  /** The one field of `from`. */
  #one({ from }: WrittenTransform): string | undefined {
    const names = from === undefined ? [] : listOf(from)
    if (names.length === 1) return names[0]
    this.#fault(
      ['from'],
      `names ${names.length} fields, and only one can be taken here`,
      'use `join`, `format` or `custom` for several',
    )
    return undefined
  }

  #texts(names: readonly string[], pathOfName: (at: number) => Path, what: string): readonly FieldType[] | undefined {
    const types = names.map((name, at) => {
      const type = this.#typeOf(name, pathOfName(at))
      if (type === undefined || hasTextForm(type)) return type
      this.#fault(
        pathOfName(at),
        `values of type \`${formatFieldType(type)}\` cannot be ${what}: they have no plain text`,
        'use `custom`',
      )
      return undefined
    })
    return types.includes(undefined) ? undefined : (types as readonly FieldType[])
  }

  #typeOf(name: string, path: Path): FieldType | undefined {
    const type = this.#types.get(name)
    if (type === undefined) {
      const shown = this.#shown(path, name)
      this.#fault(path, `the entity has no field ${shown}`, suggestName(name, [...this.#types.keys()], shown))
    }
    return type
  }

  /** The declared type, or the one that the literals have. */
  #literalType(key: string, { type }: WrittenTransform, literals: readonly Literal[]): FieldType | undefined {
    if (type !== undefined) return parseFieldType(type)
    const common = typeOfLiterals(literals)
    if (common === undefined && literals.length > 0)
      this.#fault([key], 'its values are of different types', 'say which one is meant with `type`', 'key')
    else if (common === undefined) this.#fault([key], 'its values have no type', 'say which with `type`', 'key')
    return common
  }

  #literal(type: FieldType, literal: Literal, path: Path): Value | undefined {
    const value = literalValue(type, literal)
    if (value === undefined) {
      const isUnsafe = typeof literal === 'number' && Number.isInteger(literal) && !Number.isSafeInteger(literal)
      const suggestion = isUnsafe
        ? 'put it in quotes, with `type: int64`: so large a number would lose digits'
        : undefined
      this.#fault(path, `must be a value of type \`${formatFieldType(type)}\``, suggestion)
    }
    return value
  }

  /** Every key of the table can occur, and every value of a closed type is in it. */
  #checkRows(type: FieldType, keys: readonly string[], hasDefault: boolean): void {
    const all = type.kind === 'enum' ? type.symbols : type.kind === 'boolean' ? ['true', 'false'] : undefined
    for (const key of keys)
      if (all !== undefined ? !all.includes(key) : /^int/.test(type.kind) && !/^-?(0|[1-9]\d*)$/.test(key))
        this.#fault(
          ['lookup', key],
          `the field never is ${shownName(key)}: its type is \`${formatFieldType(type)}\``,
          all && didYouMean(key, all),
          'key',
        )
    const left = hasDefault ? [] : (all ?? []).filter((one) => !keys.includes(one))
    if (left.length > 0)
      this.#fault(
        ['lookup'],
        `the table has nothing for ${left.map(shownName).join(', ')}`,
        'add them, or a `default`',
        'key',
      )
  }

  #fault(path: Path, message: string, suggestion?: string, at?: 'key'): void {
    this.faults.push({ path, message, suggestion, ...(at && { at }) })
  }
}

function listOf(from: string | readonly string[]): readonly string[] {
  return typeof from === 'string' ? [from] : from
}

function pathOf(from: WrittenTransform['from'], at: number): Path {
  return typeof from === 'string' || from === undefined ? ['from'] : ['from', at]
}
