-- How many steps may run at once that name a pool. A slot is a lock on a byte of the file of leases, found by the number.
create table pools (
    number integer primary key,  -- never given to another pool
    name text not null unique,
    slots integer                -- null: no limit
);
