-- What stored values depended on, so that later runs can reuse them. A view of the log, made when a run has ended.
create table memo (
    id integer primary key,      -- the order of last use
    step text not null,          -- unit and key of the step
    fingerprint text not null,
    parts blob not null,         -- msgpack: of what the fingerprint was made, by name
    kept blob not null,          -- msgpack: the addresses of the values
    absent blob not null,        -- msgpack: outputs that were asked for and did not come
    size integer not null,       -- bytes of the values
    time real not null,
    unique (step, fingerprint)
);

-- When a run's intermediates were cleaned up; null: they are all there.
alter table runs add column cleaned real;
create index materializations_of_run on materializations (run);
