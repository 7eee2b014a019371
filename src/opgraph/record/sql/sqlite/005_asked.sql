-- What was said of how a run is to be driven (executor, its settings, time limit), for runs that go on from it. JSON.
alter table runs add column asked text not null default '{}';
