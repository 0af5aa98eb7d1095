import type { Action, OrderLine } from './plan.ts'

export type ErpTable = 'customers' | 'products' | 'stock_levels' | 'orders' | 'invoices'

/** One statement of a business transaction. It returns the keys of the rows that it changed. */
export interface Statement {
  readonly table: ErpTable
  readonly op: 'insert' | 'update' | 'delete'
  readonly sql: string
}

/** The statements that carry an action out, in the order in which they lock rows. Pure; the values are invented, never user input. */
export function statementsOf(action: Action): readonly Statement[] {
  switch (action.kind) {
    case 'order-created': {
      const { orderId, customerId, total } = action.order
      return [
        {
          table: 'orders',
          op: 'insert',
          sql: `INSERT INTO orders (order_id, customer_id, status, ordered_at, total, currency, shipping_address, note)
            SELECT ${text(orderId)}::uuid, customer_id, 'draft', now(), ${text(total)}::numeric, currency, address, ${text(action.note)}
            FROM customers WHERE customer_id = ${whole(customerId)} RETURNING order_id`,
        },
      ]
    }
    case 'order-confirmed':
      return [setStatus(action.order.orderId, 'confirmed'), ...action.order.lines.map((line) => reserve(line, 1))]
    case 'order-shipped':
      return [setStatus(action.order.orderId, 'shipped'), ...action.order.lines.map(takeOut)]
    case 'invoice-issued':
      return [
        {
          table: 'invoices',
          op: 'insert',
          sql: `WITH next AS (SELECT nextval(pg_get_serial_sequence('invoices', 'invoice_id')) AS id)
            INSERT INTO invoices (invoice_id, invoice_number, order_id, customer_id, issued_on, due_on, amount, tax_amount)
            SELECT id, 'INV-' || extract(year FROM now()) || '-' || to_char(id, 'FM0000000'), order_id, customer_id,
              current_date, current_date + 30, total, round(total * 19 / 119, 2)
            FROM orders, next WHERE order_id = ${text(action.order.orderId)} RETURNING invoice_id`,
        },
      ]
    case 'invoice-paid':
      return [
        setStatus(action.order.orderId, 'delivered'),
        update('invoices', 'paid = true, paid_at = now()', `order_id = ${text(action.order.orderId)}`, 'invoice_id'),
      ]
    case 'order-cancelled': {
      const released = action.from === 'confirmed' ? action.order.lines.map((line) => reserve(line, -1)) : []
      return [setStatus(action.order.orderId, 'cancelled'), ...released]
    }
    case 'order-deleted': {
      const where = `WHERE order_id = ${text(action.order.orderId)}`
      return [
        { table: 'invoices', op: 'delete', sql: `DELETE FROM invoices ${where} RETURNING invoice_id` },
        { table: 'orders', op: 'delete', sql: `DELETE FROM orders ${where} RETURNING order_id` },
      ]
    }
    case 'stock-counted':
      return action.lines.map((line) =>
        updateStock(line, `quantity = reserved + ${whole(line.quantity * 20)}, counted_on = current_date`),
      )
    case 'credit-raised':
      return [updateCustomer(action.customerId, `credit_limit = credit_limit + ${whole(action.by)}`)]
    case 'address-changed':
      return [updateCustomer(action.customerId, `address = ${text(JSON.stringify(action.to.address))}::jsonb`)]
    case 'phone-changed':
      return [updateCustomer(action.customerId, `phone = ${text(action.to.phone)}`)]
    case 'price-changed': {
      const price = `greatest(0.10, least(round(price * ${whole(100 + action.percent)} / 100, 2), 100000))`
      return action.productIds.map((id) =>
        update('products', `price = ${price}`, `product_id = ${whole(id)}`, 'product_id'),
      )
    }
    case 'customer-added': {
      const { name, email, phone, taxId, currency, segment, address } = action.customer
      const values = [name, email, phone, taxId, currency, segment, JSON.stringify(address)].map(text)
      return [
        {
          table: 'customers',
          op: 'insert',
          sql: `INSERT INTO customers (name, email, phone, tax_id, currency, segment, address, credit_limit, tags)
            VALUES (${values.join(', ')}, 500, '{new}') RETURNING customer_id`,
        },
      ]
    }
    case 'rolled-back':
      return [
        ...action.lines.map((line) => reserve(line, 1)),
        updateCustomer(action.customerId, 'credit_limit = 0, active = false'),
      ]
  }
}

function setStatus(orderId: string, status: string): Statement {
  return update('orders', `status = ${text(status)}`, `order_id = ${text(orderId)}`, 'order_id')
}

function reserve(line: OrderLine, sign: 1 | -1): Statement {
  return updateStock(line, `reserved = greatest(0, reserved + ${whole(sign * line.quantity)})`)
}

function takeOut(line: OrderLine): Statement {
  const left = (column: string) => `${column} = greatest(0, ${column} - ${whole(line.quantity)})`
  return updateStock(line, `${left('quantity')}, ${left('reserved')}`)
}

function updateStock({ productId, location }: OrderLine, set: string): Statement {
  const where = `product_id = ${whole(productId)} AND location = ${text(location)}`
  return update('stock_levels', set, where, 'product_id, location')
}

function updateCustomer(customerId: number, set: string): Statement {
  return update('customers', set, `customer_id = ${whole(customerId)}`, 'customer_id')
}

function update(table: ErpTable, set: string, where: string, key: string): Statement {
  return { table, op: 'update', sql: `UPDATE ${table} SET ${set}, updated_at = now() WHERE ${where} RETURNING ${key}` }
}

/** A text literal; needs `standard_conforming_strings`, which is on by default. */
function text(value: string | null): string {
  return value === null ? 'NULL' : `'${value.replaceAll("'", "''")}'`
}

function whole(value: number): string {
  if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is not a whole number`)
  return value < 0 ? `(${value})` : String(value)
}
