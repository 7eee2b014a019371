-- Where in the log the observations of an asset are, so that no run without one is read. A view, as materializations is.
create table observations (
    id integer primary key,  -- the order of recording, over all runs
    asset text not null,
    run integer not null references runs (number),
    seq integer not null
);
create index observations_of_asset on observations (asset);
create index observations_of_run on observations (run);
