-- name: create_run
insert into runs (epoch, id, job, status, parent, root, code, tags, created, started, ended, who, why, executor, asked)
values (
    0, :run_id, :job, :status, :parent, :root, :code, :tags, :created, :started, :ended, :who, :why, :executor, :asked
)

-- name: create_plan
insert into plans (run, plan) values (:number, :plan)

-- name: number
select number from runs where id = :run_id

-- name: holder
select pid, host from runs where number = :number

-- name: claim
update runs set epoch = epoch + 1, pid = :pid, host = :host, claimed = :now where number = :number

-- name: epoch
select epoch from runs where number = :number

-- The row that holds a run's last facts.
-- name: last_facts
select id - (:number << 32), body from facts
where id between :number << 32 and (:number << 32) + 4294967295
order by id desc limit 1

-- The hot path: one statement is the whole transaction, and inserts nothing where the writer's epoch has passed.
-- Parameters by position, because binding by name costs 0.6 µs more.
-- name: append
insert into facts (id, body, value) select ?, ?, ? from runs where number = ? and epoch = ?

-- The same for two rows. So the facts of a fan-out come: a value of the generator, and that of the step before.
-- name: append_two
insert into facts (id, body, value)
select column1, column2, column3 from (values (?, ?, ?), (?, ?, ?))
where exists (select 1 from runs where number = ? and epoch = ?)

-- name: append_log
insert into logs (run, step, attempt, time, level, logger, text)
values (:number, :step, :attempt, :time, :level, :logger, :text)

-- name: standing
select status, started, ended from runs where number = :number

-- name: stand
update runs set status = :status, started = :started, ended = :ended where number = :number

-- name: append_materialization
insert into materializations (asset, run, seq, step, time, stored)
values (:asset, :number, :seq, :step, :time, :stored)

-- name: append_observation
insert into observations (asset, run, seq) values (:asset, :number, :seq)

-- name: run
select id, created, job, status, parent, root, plan, code, tags, started, ended, epoch, who, why, executor,
    cleaned, asked
from runs join plans on plans.run = runs.number where id = :run_id

-- name: runs
select id, created, job, status, parent, root, x'', code, tags, started, ended, epoch, who, why, executor,
    cleaned, asked
from runs
where id <> '' and (:statuses = '[]' or status in (select value from json_each(:statuses)))
    and (:job is null or job = :job)
    and (:before is null or number < (select number from runs where id = :before))
order by number desc limit :limit

-- Begins with the row that holds fact number :after + 1, which may hold earlier ones too.
-- name: facts
select f.id - (r.number << 32), f.body from runs r join facts f
    on f.id between coalesce(
        (select max(id) from facts where id between r.number << 32 and (r.number << 32) + :after + 1), r.number << 32
    ) and (r.number << 32) + 4294967295
where r.id = :run_id
order by f.id
limit :limit

-- name: value
select value from facts where id = (select (number << 32) + :seq from runs where id = :run_id)

-- name: logs
select l.id, l.step, l.attempt, l.time, l.level, l.logger, l.text from runs r join logs l on l.run = r.number
where r.id = :run_id and l.id > :after and (:step is null or l.step = :step)
order by l.id limit :limit

-- name: latest
select m.asset, r.id, m.seq, m.step, m.time, m.stored
from json_each(:assets) wanted
join materializations m on m.id = (select max(id) from materializations where asset = wanted.value)
join runs r on r.number = m.run

-- name: history
select m.asset, r.id, m.seq, m.step, m.time, m.stored
from materializations m join runs r on r.number = m.run
where m.asset = :asset
order by m.id desc limit :limit

-- name: observed
select r.id, o.seq from observations o join runs r on r.number = o.run
where o.asset = :asset
order by o.id desc

-- name: forget_assets
delete from materializations where asset in (select value from json_each(:assets))

-- name: tag_run
update runs set tags = json_patch(tags, :tags) where id = :run_id

-- name: assets
select distinct asset from materializations order by asset

-- The older materialization again, unless it is the latest already.
-- name: make_current
insert into materializations (asset, run, seq, step, time, stored)
select asset, run, seq, step, :time, stored from materializations
where asset = :asset and seq = :seq and run = (select number from runs where id = :run_id)
    and not exists (
        select 1 from materializations l where l.id = (select max(id) from materializations where asset = :asset)
            and l.run = (select number from runs where id = :run_id) and l.seq = :seq
    )
order by id desc limit 1

-- name: memos
select m.step, m.fingerprint, m.parts, m.kept, m.absent, m.time
from json_each(:steps) wanted join memo m on m.step = wanted.value
order by m.id desc

-- name: all_memos
select step, fingerprint, parts, kept, absent, time from memo order by id desc

-- name: memo
select kept, absent from memo where step = :step and fingerprint = :fingerprint

-- name: forget_memo
delete from memo where step = :step and fingerprint = :fingerprint

-- name: remember
insert into memo (step, fingerprint, parts, kept, absent, size, time)
values (:step, :fingerprint, :parts, :kept, :absent, :size, :time)

-- name: use_memo
update memo set id = (select max(id) + 1 from memo)
where step = :step and fingerprint = :fingerprint and id < (select max(id) from memo)

-- name: mark_cleaned
update runs set cleaned = :time where number = :number

-- Values of a run's facts, but for those facts that are named.
-- name: forget_values
update facts set value = null
where id between :number << 32 and (:number << 32) + 4294967295 and value is not null
    and id - (:number << 32) not in (select value from json_each(:keep))

-- name: value_sizes
select id - (:number << 32), length(value) from facts
where id between :number << 32 and (:number << 32) + 4294967295 and value is not null

-- name: forget_logs
delete from logs where run = :number

-- name: has_logs
select coalesce(sum(length(text) + 40), 0) from logs where run = :number

-- name: forget_materializations
delete from materializations where run = :number

-- name: forget_observations
delete from observations where run = :number

-- name: forget_facts
delete from facts where id between :number << 32 and (:number << 32) + 4294967295

-- name: forget_plan
delete from plans where run = :number

-- name: forget_run
delete from runs where number = :number

-- name: size_of_run
select coalesce((select sum(length(body) + coalesce(length(value), 0) + 8) from facts
        where id between :number << 32 and (:number << 32) + 4294967295), 0)
    + coalesce((select length(plan) from plans where run = :number), 0)
    + coalesce((select sum(length(text) + 40) from logs where run = :number), 0)

-- name: limit_pool
insert into pools (name, slots) values (:pool, :slots) on conflict (name) do update set slots = excluded.slots

-- name: pools
select name, number, slots from pools where slots is not null order by name

-- name: limits_of_pools
select number, slots from pools where name in (select value from json_each(:pools))
