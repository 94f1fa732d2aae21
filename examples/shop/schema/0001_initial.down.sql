-- whimbrel: lossy
DROP VIEW open_orders;
DROP TABLE order_lines, orders, products, customers;
DROP DOMAIN email;
DROP TYPE order_state;
