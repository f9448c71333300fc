-- A small shop, as a customer's database would have it: 2,000 customers, 300 products, 6,000 orders.
-- Run as a superuser on an empty database. Everything belongs to orders_owner, a role that nobody logs in as.
create role orders_owner nologin;
create role tidegate_admin login createrole in role orders_owner;

-- What nobody remembers: standing privileges, as they pile up on every database.
create role legacy_report login superuser;
create role deploy_bot login createrole in role orders_owner;
create role intern_2023 login;

create schema shop authorization orders_owner;
set role orders_owner;

create table shop.customers (
  id         integer primary key generated always as identity,
  name       text not null,
  email      text not null unique,
  country    text not null,
  created_at timestamptz not null
);

create table shop.products (
  id          integer primary key generated always as identity,
  name        text not null,
  price_cents integer not null check (price_cents > 0),
  stock       integer not null check (stock >= 0)
);

create table shop.orders (
  id          integer primary key generated always as identity,
  customer_id integer not null references shop.customers,
  status      text not null check (status in ('open', 'paid', 'shipped', 'cancelled')),
  note        text,
  placed_at   timestamptz not null
);
create index orders_by_customer on shop.orders (customer_id);

create table shop.order_items (
  order_id   integer not null references shop.orders on delete cascade,
  product_id integer not null references shop.products,
  quantity   integer not null check (quantity > 0),
  primary key (order_id, product_id)
);

create view shop.open_orders as
  select o.id, c.name as customer, o.placed_at
  from shop.orders o join shop.customers c on c.id = o.customer_id
  where o.status = 'open';

insert into shop.customers (name, email, country, created_at)
  select (array['Amara', 'Boris', 'Chidi', 'Dalia', 'Emre', 'Freya', 'Goran', 'Hana'])[1 + n % 8] || ' '
           || (array['Okafor', 'Lindqvist', 'Moreau', 'Tanaka', 'Silva', 'Novak', 'Haddad'])[1 + n % 7],
         format('customer%s@example.com', n),
         (array['DE', 'FR', 'SE', 'PT', 'JP', 'NG'])[1 + n % 6],
         timestamptz '2024-01-01 00:00Z' + n * interval '7 hours'
  from generate_series(1, 2000) as n;

insert into shop.products (name, price_cents, stock)
  select format('%s %s', (array['Kettle', 'Lamp', 'Chair', 'Desk', 'Rug', 'Clock'])[1 + n % 6], n), 900 + n * 35, 20 + n % 60
  from generate_series(1, 300) as n;

insert into shop.orders (customer_id, status, placed_at)
  select 1 + (n * 37) % 2000,
         (array['paid', 'shipped', 'shipped', 'shipped', 'open', 'cancelled'])[1 + n % 6],
         timestamptz '2026-01-01 00:00Z' + n * interval '71 minutes'
  from generate_series(1, 6000) as n;

insert into shop.order_items (order_id, product_id, quantity)
  select o.id, 1 + (o.id * 7 + line * 13) % 300, 1 + (o.id + line) % 3
  from shop.orders o cross join generate_series(1, 2) as line;

reset role;
grant usage on schema shop to intern_2023;
grant select, update on shop.customers to intern_2023;
