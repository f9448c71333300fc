-- A small shop, as a customer's database would have it. Run as the role that owns it.
CREATE SCHEMA shop;

CREATE TABLE shop.customers (
  id integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  name text NOT NULL,
  email text NOT NULL UNIQUE,
  card_number text NOT NULL,
  created_at timestamptz NOT NULL
);

CREATE TABLE shop.products (
  id integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  name text NOT NULL,
  price_cents integer NOT NULL CHECK (price_cents > 0)
);

CREATE TABLE shop.orders (
  id integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  number bigint NOT NULL UNIQUE,
  customer_id integer NOT NULL REFERENCES shop.customers,
  status text NOT NULL CHECK (status IN ('open', 'paid', 'shipped', 'cancelled')),
  placed_at timestamptz NOT NULL
);

CREATE TABLE shop.order_items (
  order_id integer NOT NULL REFERENCES shop.orders ON DELETE CASCADE,
  product_id integer NOT NULL REFERENCES shop.products,
  quantity integer NOT NULL CHECK (quantity > 0),
  PRIMARY KEY (order_id, product_id)
);

CREATE INDEX orders_by_customer ON shop.orders (customer_id);

CREATE SEQUENCE shop.order_numbers START 1000 OWNED BY shop.orders.number;
ALTER TABLE shop.orders ALTER COLUMN number SET DEFAULT nextval('shop.order_numbers');

CREATE VIEW shop.open_orders AS
  SELECT o.number, c.name AS customer, o.placed_at
  FROM shop.orders o JOIN shop.customers c ON c.id = o.customer_id
  WHERE o.status = 'open';

CREATE FUNCTION shop.order_total_cents(wanted integer) RETURNS bigint
  LANGUAGE sql STABLE
  RETURN (
    SELECT coalesce(sum(i.quantity * p.price_cents), 0)
    FROM shop.order_items i JOIN shop.products p ON p.id = i.product_id
    WHERE i.order_id = wanted
  );

INSERT INTO shop.customers (name, email, card_number, created_at)
  SELECT format('Customer %s', n), format('customer%s@example.com', n), format('4000-0000-0000-%s', lpad(n::text, 4, '0')),
    timestamptz '2025-01-01 00:00:00Z' + n * interval '1 day'
  FROM generate_series(1, 100) AS n;

INSERT INTO shop.products (name, price_cents)
  SELECT format('Product %s', n), 100 + n * 25
  FROM generate_series(1, 40) AS n;

INSERT INTO shop.orders (customer_id, status, placed_at)
  SELECT 1 + n % 100, (ARRAY['open', 'paid', 'shipped', 'cancelled'])[1 + n % 4],
    timestamptz '2025-06-01 00:00:00Z' + n * interval '1 hour'
  FROM generate_series(1, 300) AS n;

INSERT INTO shop.order_items (order_id, product_id, quantity)
  SELECT o.id, 1 + (o.id + n) % 40, n
  FROM shop.orders o CROSS JOIN generate_series(1, 2) AS n;
