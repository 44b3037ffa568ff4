"""Databases that are as their template is: emptied after a test and given to the next one: a tenth of a copy.

One whose tables, rights or settings a test has changed is dropped instead, and the next test gets a new copy.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg

from sandbox.stack.postgres import Server

_OURS = "n.nspname !~ '^pg_|^information_schema$'"
# Everything that a test may have changed, but for rows.
_SHAPE = f"""
    select md5(string_agg(part, ',' order by part)) from (
        select concat_ws(' ', n.nspname, n.nspowner, n.nspacl) as part from pg_namespace n where {_OURS}
        union all
        select concat_ws(' ', n.nspname, c.relname, c.relkind, c.relowner, c.relacl, c.relrowsecurity, c.relpersistence,
                         c.reloptions, obj_description(c.oid), pg_get_viewdef(c.oid))
        from pg_class c join pg_namespace n on n.oid = c.relnamespace where {_OURS}
        union all
        select concat_ws(' ', n.nspname, c.relname, a.attnum, a.attname, a.atttypid, a.atttypmod, a.attnotnull,
                         a.attacl, pg_get_expr(d.adbin, d.adrelid))
        from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
        left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
        where {_OURS} and a.attnum > 0 and c.relkind in ('r', 'p', 'v', 'm', 'f')
        union all
        select concat_ws(' ', c.relname, t.tgname, t.tgenabled, pg_get_triggerdef(t.oid))
        from pg_trigger t join pg_class c on c.oid = t.tgrelid where not t.tgisinternal
        union all
        select concat_ws(' ', c.relname, r.rulename, r.ev_enabled, pg_get_ruledef(r.oid))
        from pg_rewrite r join pg_class c on c.oid = r.ev_class join pg_namespace n on n.oid = c.relnamespace
        where {_OURS}
        union all
        select concat_ws(' ', conrelid::regclass, conname, pg_get_constraintdef(r.oid))
        from pg_constraint r join pg_namespace n on n.oid = r.connamespace where conrelid <> 0 and {_OURS}
        union all
        select concat_ws(' ', polrelid::regclass, polname, polcmd, polroles, polqual, polwithcheck) from pg_policy
        union all
        select concat_ws(' ', n.nspname, p.proname, p.prosrc, p.proacl)
        from pg_proc p join pg_namespace n on n.oid = p.pronamespace where {_OURS}
        union all
        select concat_ws(' ', datacl, datconnlimit) from pg_database where datname = current_database()
        union all
        select concat_ws(' ', setrole, setconfig) from pg_db_role_setting
        where setdatabase = (select oid from pg_database where datname = current_database())
        union all
        select extname from pg_extension) as shape
"""
_WRITTEN = f"""
    select string_agg(format('%I.%I', n.nspname, c.relname), ', ')
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind = 'r' and {_OURS} and pg_relation_size(c.oid) > 0
"""
_END_OTHERS = (
    "select pg_terminate_backend(pid) from pg_stat_activity"
    " where datname = current_database() and pid <> pg_backend_pid()"
)


class SpareDatabases:
    """Copies of one database, whose tables have no rows."""

    def __init__(self, server: Server, template: str) -> None:
        self._server, self._template = server, template
        with closing(psycopg.connect(server.uri(template), autocommit=True)) as connection:
            self._shape = connection.execute(_SHAPE).fetchone()
        self._spare: list[str] = []

    @contextmanager
    def one(self) -> Iterator[str]:
        """The DSN of a database for one test."""
        if self._spare:
            name = self._spare.pop()
        else:
            self._server.ensure_database(name := f"test_{uuid.uuid4().hex}", self._template)
        try:
            yield self._server.uri(name)
        finally:
            if self._emptied(name):
                self._spare.append(name)
            else:
                self._server.drop_database(name)

    def _emptied(self, name: str) -> bool:
        """Whether it is as new, after whoever is still connected was thrown out."""
        try:
            with closing(psycopg.connect(self._server.uri(name), autocommit=True)) as connection:
                connection.execute(_END_OTHERS)
                if connection.execute(_SHAPE).fetchone() != self._shape:
                    return False
                (tables,) = connection.execute(_WRITTEN).fetchone() or (None,)
                if tables:
                    connection.execute(f"set lock_timeout = '5s'; truncate {tables} restart identity")
        except psycopg.Error:
            return False
        return True
