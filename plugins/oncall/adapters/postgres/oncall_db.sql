-- What the on-call system must not forget. Safe to run again: the store does so whenever this text has changed. A change to a
-- table that is there: `alter table … add column if not exists … default …` after the statement that creates it.
create schema if not exists oncall;

-- `first_cause`, `first_detail`: for what somebody was paged first, whatever became of it since.
create table if not exists oncall.incidents (
    key             text primary key,
    dag_id          text not null,
    report_date     date not null,
    opened_at       timestamptz not null,
    due             timestamptz,
    drill           text not null default '',
    leader          text not null default '',
    verdict         text not null default '',
    cause           text not null default '',
    detail          text not null default '',
    names           text[] not null default '{}',
    warned          text[] not null default '{}',
    failure         text not null default '',
    failures        int not null default 0,
    changes         int not null default 0,
    paged_at        timestamptz,
    ladder          int not null default 0,
    "primary"       text not null default '',
    acknowledged_at timestamptz,
    acknowledged_by text not null default '',
    reminders       int not null default 0,
    resolved_at     timestamptz,
    late_s          double precision,
    acked           text[] not null default '{}',
    seen_at         timestamptz,
    first_cause     text not null default '',
    first_detail    text not null default '',
    report          text not null default '',
    brief           text not null default '',
    error           text not null default '',
    waits_on        text[] not null default '{}',
    rests_on        text[] not null default '{}',
    kind            text not null default ''
);
alter table oncall.incidents
    add column if not exists brief text not null default '',
    add column if not exists error text not null default '',
    add column if not exists waits_on text[] not null default '{}',
    add column if not exists rests_on text[] not null default '{}',
    add column if not exists kind text not null default '';
create index if not exists incidents_open on oncall.incidents (resolved_at, opened_at);

-- The outbox: owed before sent, once per incident, step and channel. `maybe_taken`: an earlier try may have reached the far
-- side; `unreached`: why the person is not woken by it all the same.
create table if not exists oncall.deliveries (
    id            bigint generated always as identity primary key,
    key           text not null,
    step          text not null,
    channel       text not null check (channel in ('pager', 'chat')),
    op            text not null,
    alias         text not null default '',
    "user"        text not null default '',
    message       jsonb not null,
    urgency       int not null default 9,
    state         text not null default 'owed' check (state in ('owed', 'accepted', 'done', 'cancelled')),
    attempts      int not null default 0,
    request_id    text not null default '',
    owed_at       timestamptz not null,
    next_at       timestamptz not null,
    lease_until   timestamptz,
    done_at       timestamptz,
    channel_id    text not null default '',
    ts            text not null default '',
    error         text not null default '',
    maybe_taken   boolean not null default false,
    unreached     text not null default '',
    requested_at  timestamptz,
    pending_since timestamptz,
    unique (key, step, channel)
);
-- Of an incident with what other people's channels were told of it: their keys are its own, "@" and the channel.
create index if not exists deliveries_incident on oncall.deliveries (split_part(key, '@', 1));
create index if not exists deliveries_open on oncall.deliveries (channel, next_at) where state in ('owed', 'accepted');

create table if not exists oncall.events (
    id   bigint generated always as identity primary key,
    key  text not null,
    at   timestamptz not null,
    what text not null
);
create index if not exists events_key on oncall.events (key, at);

-- What tasks said of themselves, one row per run and task.
create table if not exists oncall.tasks (
    dag_id      text not null,
    run_id      text not null,
    task_id     text not null,
    report_date date not null,
    state       text not null,
    try_number  int not null default 1,
    started_at  timestamptz not null,
    ended_at    timestamptz,
    error       text not null default '',
    log_url     text not null default '',
    primary key (dag_id, run_id, task_id)
);
create index if not exists tasks_report on oncall.tasks (dag_id, report_date, started_at);
create index if not exists tasks_failed on oncall.tasks (ended_at) where state = 'failed';

-- What Airflow said of each DAG when a worker last asked.
create table if not exists oncall.dags (
    dag_id          text primary key,
    seen_at         timestamptz not null,
    paused          boolean,
    missing         boolean not null default false,
    running         int,
    import_error    text not null default '',
    import_error_at timestamptz
);

create table if not exists oncall.drills (
    name        text primary key,
    dag_id      text not null,
    report_date date not null,
    warn_at     timestamptz not null,
    due_at      timestamptz not null,
    started_by  text not null default '',
    started_at  timestamptz not null default now()
);

-- Small things by name: since when we watch, the last good configuration, the state of each channel, the last tick.
create table if not exists oncall.memory (
    name       text primary key,
    value      text not null,
    changed_at timestamptz not null default now()
);
