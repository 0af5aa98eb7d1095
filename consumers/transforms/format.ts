import type { FieldType } from '../../schemas/field-type.ts'
import { textForm } from './text-form.ts'
import { bounded, type Transform } from './transform.ts'

/** A piece of a format: text as it is, or the name of a field. */
export type Piece = { readonly text: string } | { readonly field: string }

/** `SKU-{product_id}` in pieces; `{{` and `}}` stand for braces. undefined where a brace stands alone or holds no name. */
export function parseFormat(format: string): readonly Piece[] | undefined {
  const pieces: Piece[] = []
  const piece = /([^{}]+)|(\{\{|\}\})|\{([A-Za-z_][A-Za-z0-9_]*)\}/y
  while (piece.lastIndex < format.length) {
    const match = piece.exec(format)
    if (match === null) return undefined
    const [, text, brace, field] = match
    pieces.push(field === undefined ? { text: text ?? brace![0]! } : { field })
  }
  return pieces
}

/**
 * The pieces one after the other. When any of the fields is null, so is the result: half a text would look like a whole one.
 * @param from the names of the fields, in the order of the values
 */
export function format(pieces: readonly Piece[], from: readonly string[], types: readonly FieldType[]): Transform {
  const places = pieces.map((piece) => ('field' in piece ? from.indexOf(piece.field) : piece.text))
  return (values) => {
    let text = ''
    for (const place of places) {
      if (typeof place === 'string') {
        text += place
        continue
      }
      const value = values[place]
      if (value === null || value === undefined) return null
      text += textForm(types[place]!, value)
    }
    return bounded(text)
  }
}
