-- The three databases and the three roles that use them, each the owner of its own and none a superuser. A superuser runs
-- this with psql, once (in Compose: when the server's volume is new); again it sets the passwords anew. They are read from
-- AIRFLOW_DB_PASSWORD, ONCALL_DB_PASSWORD and WAREHOUSE_DB_PASSWORD.
\set ON_ERROR_STOP on
\getenv airflow_password AIRFLOW_DB_PASSWORD
\getenv oncall_password ONCALL_DB_PASSWORD
\getenv warehouse_password WAREHOUSE_DB_PASSWORD

select format('create role %I login', name) from unnest(array['airflow', 'oncall', 'warehouse']) as name
where to_regrole(name) is null \gexec
alter role airflow password :'airflow_password';
alter role oncall password :'oncall_password';
alter role warehouse password :'warehouse_password';

-- UTF-8, whatever the server's default: the on-call system refuses anything else.
select format('create database %I owner %I encoding ''UTF8'' template template0', name, name)
from unnest(array['airflow', 'oncall', 'warehouse']) as name
where not exists (select from pg_database where datname = name) \gexec
revoke connect, temporary on database airflow, oncall, warehouse from public;

-- Where the databases are somebody else's and a role may make no schemas in them, these are all that it needs:
--   in the database of oncall_db
--     create schema oncall authorization oncall;
--   in the warehouse
--     create schema base authorization warehouse;
--     create schema investor authorization warehouse;
--     create schema experiments authorization warehouse;
--     grant usage on schema master to warehouse;
--     grant select on all tables in schema master to warehouse;
--     alter default privileges for role UPSTREAM in schema master grant select on tables to warehouse;
-- `python -m oncall check --connections` tells what is missing.
