import { z } from 'zod'
import { fieldType, mapping, matching, text } from '../forms.ts'

/** What may fill a destination field: a field of the entity, or a transform. How the keys go together is in plan-field.ts. */

const FIELDS_OF_TRANSFORM_MAX = 32
const TABLE_ROWS_HINT = 'a mapping of values to what they become'
const FIELD = 'the name of a field of the entity'
const FIELDS = 'the name of a field of the entity, or a list of them'
const LITERAL = 'a text, a number, `true` or `false`'

const literal = () => z.union([z.string(), z.number(), z.boolean()], { error: LITERAL })

/** The separator may be empty, as may a constant. */
const anyText = (error: string) => z.string({ error })

export const transformed = mapping(
  {
    from: z
      .union(
        [
          text(FIELDS),
          z
            .array(text(FIELD), { error: FIELDS })
            .min(1, { error: FIELDS })
            .max(FIELDS_OF_TRANSFORM_MAX, { error: `at most ${FIELDS_OF_TRANSFORM_MAX} fields` }),
        ],
        { error: FIELDS },
      )
      .optional()
      .describe('The entity field that it is made of; for `format` and `custom` also a list.'),
    join: z
      .array(text(FIELD), { error: 'a list of fields of the entity' })
      .min(2, { error: 'a list of two fields or more' })
      .max(FIELDS_OF_TRANSFORM_MAX, { error: `at most ${FIELDS_OF_TRANSFORM_MAX} fields` })
      .optional()
      .describe('Entity fields whose texts are put one after the other; nulls are left out.'),
    with: anyText('the text between the fields')
      .optional()
      .describe('What stands between joined fields. Default: a space.'),
    split: text(FIELD).optional().describe('The entity field whose text is cut into parts.'),
    by: text('the text between the parts').optional().describe('What stands between the parts of a split.'),
    part: z
      .int({ error: 'a whole number' })
      .min(-1000, { error: 'at least -1000' })
      .max(1000, { error: 'at most 1000' })
      .optional()
      .describe('Which part of a split: 1 is the first, -1 the last.'),
    lookup: z
      .record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()], { error: `${LITERAL}, or empty` }), {
        error: TABLE_ROWS_HINT,
      })
      .optional()
      .describe('What each value of the field becomes.'),
    format: text('a text with fields in braces, such as `SKU-{product_id}`')
      .optional()
      .describe('A text with entity fields in braces; null when one of them is.'),
    constant: literal().optional().describe('The same value for every object.'),
    custom: matching(/^[A-Za-z_$][\w$]{0,99}$/, 'the name of a function that the file of `transforms` exports')
      .optional()
      .describe('A function that the file of `transforms` exports.'),
    default: literal().optional().describe('What is taken for null; for `lookup` also where the table has nothing.'),
    type: fieldType().optional().describe('The type of what `custom`, `lookup` or `constant` gives.'),
  },
  'the name of a field of the entity, or a mapping such as `{ join: [first, last] }`',
)

export const destinationField = z
  .union([text(FIELD), transformed], {
    error: 'the name of a field of the entity, or a mapping such as `{ join: [first, last] }`',
  })
  .describe('The entity field that fills it, or a transform.')

/** What stands at a destination field. */
export type WrittenField = z.output<typeof destinationField>
export type WrittenTransform = z.output<typeof transformed>
