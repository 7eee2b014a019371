-- A run's facts are the truth; runs.status, .started and .ended, and the table materializations, are views of them,
-- written in the same transaction.

create table runs (
    number integer primary key,  -- the order of creation; run ids are for people
    epoch integer not null,      -- early in the row: every append reads it
    id text not null unique,
    job text not null,
    status text not null,
    parent text,
    root text,
    code text not null,
    tags text not null,          -- a JSON object
    created real not null,
    started real,
    ended real,
    who text not null,
    why text not null,
    executor text not null,
    pid integer not null default 0,
    host text not null default '',
    claimed real
);

-- Apart from runs, so that a list of runs reads no plans.
create table plans (
    run integer primary key references runs (number),
    plan blob not null
);

-- One row for each append: in the ordinary run that is one for each step, "this one succeeded, that one started".
create table facts (
    id integer primary key,  -- runs.number << 32 | the number of the row's first fact
    body blob not null,      -- a msgpack array of facts
    value blob               -- the inline bytes of the row's first fact
);

create table logs (
    id integer primary key,
    run integer not null references runs (number),
    step integer not null,
    attempt integer not null,
    time real not null,
    level text not null,
    logger text not null,
    text text not null
);
create index logs_of_step on logs (run, step);

create table materializations (
    id integer primary key,  -- the order of recording, over all runs
    asset text not null,
    run integer not null references runs (number),
    seq integer not null,
    step integer not null,
    time real not null,
    stored blob not null     -- msgpack
);
create index materializations_of_asset on materializations (asset);
