import { z } from 'zod'
import { mapping, oneOf, text } from '../forms.ts'
import { KINDS, type SubscriberType } from './kinds.ts'

/** What may be said of deletes. How a condition goes together with the entities is in plan-deletion.ts. */

type Policies = readonly ['hard', 'soft', 'archive', 'ignore']

/** What a kind of subscriber can do with a delete. */
export const policy = (type: SubscriberType) =>
  oneOf(KINDS[type].policies as readonly [string, ...string[]] as Policies)

const CONDITION = 'an entity that refers to this one, and what its fields have to be'

/** The policy that is wanted while a condition holds, and the one for the rest. */
export const deletion = () => {
  const whileHeld = mapping(
    {
      while: mapping(
        {
          entity: text('the name of an entity that this subscriber takes').describe(
            'The entity that refers to this one.',
          ),
          field: z
            .union(
              [text(FIELD_NAMES), z.array(text(FIELD_NAMES), { error: FIELD_NAMES }).min(1, { error: FIELD_NAMES })],
              {
                error: FIELD_NAMES,
              },
            )
            .describe("Its entity fields that hold this one's key, in the order of the key."),
          where: z
            .record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()], { error: VALUE }), {
              error: 'a mapping of entity fields to values',
            })
            .default({})
            .describe('Its entity fields, and what each has to be; empty for null.'),
        },
        CONDITION,
      ).describe('It holds while there is such an object at the subscriber.'),
    },
    'a mapping of `while`',
  ).optional()
  return mapping(
    {
      hard: whileHeld.describe('The object goes while the condition holds.'),
      soft: whileHeld.describe('The object is marked while the condition holds.'),
      archive: whileHeld.describe('The object moves away while the condition holds.'),
      ignore: whileHeld.describe('The object stays while the condition holds.'),
      else: policy('warehouse').describe('What a delete does when it does not hold.'),
    },
    'a policy, or a mapping such as `{ soft: { while: … }, else: hard }`',
  )
}

const FIELD_NAMES = 'the name of a field of that entity, or a list of them'
const VALUE = 'a text, a number, `true`, `false`, or empty for null'

/** What stands at `onDelete` where a condition is allowed. */
export type WrittenDeletion = z.output<ReturnType<typeof deletion>>
