import type { Random } from './random.ts'
import { documentValues } from './values.ts'

/** A transaction as SQL statements, from BEGIN to its end. */
export type Transaction = readonly string[]

const STATEMENTS_MAX = 6
const ROLLED_BACK = 0.12
const WITH_SAVEPOINT = 0.2

/** The next transaction of a session. Pure but for the generator. */
export function planTransaction(random: Random): Transaction {
  const statements = some(random)
  const inner = random.chance(WITH_SAVEPOINT)
    ? [
        'SAVEPOINT nested',
        ...some(random),
        random.chance(0.7) ? 'ROLLBACK TO nested' : 'RELEASE nested',
        ...some(random),
      ]
    : []
  return ['BEGIN', ...statements, ...inner, random.chance(ROLLED_BACK) ? 'ROLLBACK' : 'COMMIT']
}

function some(random: Random): string[] {
  const count = 1 + random.below(STATEMENTS_MAX)
  return Array.from({ length: count }, () => random.oneOf(ACTIONS)(random)).flat()
}

type Action = (random: Random) => string[]

/** Hot keys, where sessions meet and much is coalesced, and cold ones, which no later change repairs. */
const either = (random: Random, hot: number, cold: number) => random.below(random.chance(0.5) ? hot : cold)
const account = (random: Random) => String(1 + either(random, 15, 400))
const article = (random: Random) => String(1 + either(random, 8, 60))
const place = (random: Random) => `'p${random.below(3)}'`
const item = (random: Random) => `'i${either(random, 8, 200)}'`
const document = (random: Random) => `'00000000-0000-4000-8000-000000000${100 + either(random, 15, 200)}'`

const changeAccount: Action = (random) => [
  `INSERT INTO accounts VALUES (${account(random)}, 'name ${random.below(4)}', ${random.below(100_000)}.${random.below(90) + 10}, ${random.chance(0.5)})
   ON CONFLICT (id) DO UPDATE SET ${random.oneOf(['name = excluded.name', 'balance = excluded.balance', 'open = excluded.open, balance = accounts.balance + 1', 'name = NULL'])}`,
]
const changeNothing: Action = (random) => [
  random.oneOf([
    `UPDATE accounts SET balance = balance WHERE id = ${account(random)}`,
    `UPDATE articles SET title = title WHERE id = ${article(random)}`,
    `UPDATE stock SET quantity = quantity WHERE place = ${place(random)}`,
    `UPDATE documents SET tags = tags WHERE id = ${document(random)}`,
  ]),
]
const deleteAndMakeAgain: Action = (random) => {
  const id = account(random)
  return [
    `DELETE FROM accounts WHERE id = ${id}`,
    `INSERT INTO accounts VALUES (${id}, 'again ${random.below(9)}', 1, false) ON CONFLICT (id) DO NOTHING`,
  ]
}
const remove: Action = (random) => [
  random.oneOf([
    `DELETE FROM accounts WHERE id = ${account(random)}`,
    `DELETE FROM articles WHERE id = ${article(random)}`,
    `DELETE FROM stock WHERE place = ${place(random)} AND item = ${item(random)}`,
    `DELETE FROM stock WHERE place = ${place(random)}`,
    `DELETE FROM documents WHERE id = ${document(random)}`,
  ]),
]
const moveKey: Action = (random) => {
  const [from, to] = [account(random), account(random)]
  const [one, other] = [article(random), article(random)]
  return random.oneOf([
    [`UPDATE accounts SET id = ${to} WHERE id = ${from} AND NOT EXISTS (SELECT FROM accounts WHERE id = ${to})`],
    // The key of a deleted row, used by another one in the same transaction.
    [`DELETE FROM accounts WHERE id = ${to}`, `UPDATE accounts SET id = ${to}, open = NOT open WHERE id = ${from}`],
    [`UPDATE articles SET id = ${other} WHERE id = ${one} AND NOT EXISTS (SELECT FROM articles WHERE id = ${other})`],
    [
      `UPDATE stock SET item = ${item(random)} || 'x' WHERE place = ${place(random)} AND item = ${item(random)}
         AND NOT EXISTS (SELECT FROM stock WHERE item LIKE '%x')`,
      `UPDATE stock SET item = ${item(random)} WHERE item LIKE '%x' AND NOT EXISTS (SELECT FROM stock AS s WHERE s.item = ${item(random)})`,
    ],
  ])
}
const swapKeys: Action = (random) => {
  const [a, b] = [account(random), account(random)]
  if (a === b) return []
  const away = -1 - random.below(1_000_000)
  return [
    `UPDATE accounts SET id = ${away} WHERE id = ${a}`,
    `UPDATE accounts SET id = ${a} WHERE id = ${b}`,
    `UPDATE accounts SET id = ${b} WHERE id = ${away}`,
  ]
}
const changeArticle: Action = (random) => [
  random.oneOf([
    `INSERT INTO articles VALUES (${article(random)}, 'title ${random.below(9)}', repeat('${random.below(1000)}-', ${3000 + random.below(3000)}), 1)
     ON CONFLICT (id) DO UPDATE SET body = excluded.body, revision = articles.revision + 1`,
    // The body is unchanged, so the log leaves it out.
    `UPDATE articles SET revision = revision + 1 WHERE id = ${article(random)}`,
    `UPDATE articles SET title = 'title ${random.below(9)}' WHERE id IN (${article(random)}, ${article(random)})`,
    `UPDATE articles SET body = NULL WHERE id = ${article(random)}`,
    `UPDATE articles SET body = left(body, 20) WHERE id = ${article(random)}`,
  ]),
]
const changeStock: Action = (random) => [
  random.oneOf([
    `INSERT INTO stock VALUES (${place(random)}, ${item(random)}, ${random.below(100)}, DATE '2026-01-01' + ${random.below(999)})
     ON CONFLICT (place, item) DO UPDATE SET quantity = excluded.quantity`,
    `UPDATE stock SET quantity = quantity + 1 WHERE place = ${place(random)}`,
    `UPDATE stock SET counted_on = ${random.oneOf(["'infinity'", "'-infinity'", 'current_date', 'NULL'])} WHERE item = ${item(random)}`,
  ]),
]
const changeDocument: Action = (random) => {
  const values = documentValues(random)
  const columns = Object.keys(values)
  const chosen = columns.filter(() => random.chance(0.4))
  const set = (chosen.length === 0 ? columns : chosen).map((name) => `${name} = excluded.${name}`).join(', ')
  return [
    `INSERT INTO documents (id, ${columns.join(', ')}) VALUES (${document(random)}, ${Object.values(values).join(', ')})
     ON CONFLICT (id) DO UPDATE SET ${set}`,
  ]
}

const ACTIONS: readonly Action[] = [
  ...[changeAccount, changeAccount, changeNothing, deleteAndMakeAgain, remove, moveKey, swapKeys],
  ...[changeArticle, changeArticle, changeStock, changeStock, changeDocument, changeDocument],
]
