-- A shop: who buys what, and for how much.
CREATE TYPE order_state AS ENUM ('open', 'paid', 'sent', 'returned');
CREATE DOMAIN email AS text CHECK (VALUE ~ '^[a-z0-9.]+@[a-z0-9]+\.[a-z]{2,}$');

CREATE TABLE customers (
  id uuid PRIMARY KEY,
  email email NOT NULL UNIQUE,
  name varchar(120) NOT NULL CHECK (length(name) >= 1),
  born date CHECK (born > '1900-01-01'),
  recommended_by uuid REFERENCES customers,
  joined timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE products (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  sku char(8) NOT NULL UNIQUE,
  title text NOT NULL,
  price numeric(10, 2) NOT NULL CHECK (price >= 0),
  weight real CHECK (weight > 0),
  tags text[] NOT NULL DEFAULT '{}',
  details jsonb
);

CREATE TABLE orders (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  customer_id uuid NOT NULL REFERENCES customers ON DELETE CASCADE,
  state order_state NOT NULL DEFAULT 'open',
  placed timestamp(3) NOT NULL,
  sent timestamp(3),
  note text,
  CHECK (sent IS NULL OR sent >= placed)
);
CREATE INDEX orders_of_customer ON orders (customer_id, placed DESC);
CREATE INDEX orders_open ON orders (placed) WHERE state = 'open';

CREATE TABLE order_lines (
  order_id bigint REFERENCES orders ON DELETE CASCADE,
  line smallint CHECK (line BETWEEN 1 AND 999),
  product_id bigint NOT NULL REFERENCES products,
  quantity integer NOT NULL CHECK (quantity > 0 AND quantity < 10000),
  price numeric(10, 2) NOT NULL CHECK (price >= 0),
  total numeric(16, 2) GENERATED ALWAYS AS (quantity * price) STORED,
  PRIMARY KEY (order_id, line)
);

CREATE VIEW open_orders AS
  SELECT orders.id, customers.email, orders.placed FROM orders JOIN customers ON customers.id = orders.customer_id
  WHERE orders.state = 'open';
