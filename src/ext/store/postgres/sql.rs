//! What the server is asked.

/// Held while tables are made, so that two who come first do not both make them.
pub(super) const LOCK_FORMAT: &str = "select pg_advisory_xact_lock(8386658439213973505)";

/// Which of the two tables are there.
pub(super) const TABLES: &str = "select to_regclass('taipan_store_format') is not null, to_regclass('taipan_store') is not null";

/// The tables. Values are not compressed: it costs more than it saves, and their length is known without reading them.
pub(super) const CREATE: &str = "
    create table taipan_store (
        owner text collate \"C\" not null,
        key bytea not null,
        value bytea not null,
        primary key (owner, key)
    );
    alter table taipan_store alter column value set storage external;
    create table taipan_store_format (version bigint not null);
";

/// The version, of which there is one row.
pub(super) const VERSION: &str = "select version from taipan_store_format";

/// Says which version made the tables.
pub(super) const SET_VERSION: &str = "insert into taipan_store_format values ($1)";

/// For the session. What is read and written is found by its key, whatever the server believes about sizes.
pub(super) const SETTINGS: &str = "set enable_seqscan = off; set plan_cache_mode = force_generic_plan; set client_min_messages = warning";

/// Ends what is left of a session that was lost, and with it its lock.
pub(super) const END: &str = "
    select pg_terminate_backend(pid, 5000) from pg_stat_activity
    where pid = $1 and extract(epoch from backend_start)::text = $2
";

/// Which session this is.
pub(super) const SELF: &str = "
    select pid, extract(epoch from backend_start)::text from pg_stat_activity
    where pid = pg_backend_pid()
";

/// The lock of an owner.
pub(super) const LOCK: &str = "select pg_try_advisory_lock($1)";

/// Gives it back.
pub(super) const UNLOCK: &str = "select pg_advisory_unlock_all()";

/// Whether a commit waits for the disk, and whether the disk is made to write at all.
pub(super) const DURABLE: &str =
    "select current_setting('synchronous_commit') <> 'off', current_setting('fsync') = 'on'";

/// For one transaction: waits for the disk, and so for all that was committed before.
pub(super) const WAIT: &str = "set local synchronous_commit = on";

/// One value.
pub(super) const GET: &str = "select value from taipan_store where owner = $1 and key = $2";

/// Removes and writes. The keys of both are different ones, so that it does not matter which goes first.
pub(super) const COMMIT: &str = "
    with gone as (delete from taipan_store where owner = $1 and key = any($2))
    insert into taipan_store (owner, key, value)
    select $1, put.key, put.value from unnest($3::bytea[], $4::bytea[]) as put (key, value)
    on conflict (owner, key) do update set value = excluded.value
";

/// Rows of an owner, without the one that is not of the store.
pub(super) const COUNT: &str = "select count(*) from taipan_store where owner = $1 and key > ''";

/// Up to `$4` rows of a range, in one answer, as long as they are not more than `$5` bytes; the first one in any case, if
/// `$6`. Lengths are known without reading, so that the server reads no value that it does not send.
pub(super) fn scan(backward: bool) -> String {
    let order = if backward { "desc" } else { "asc" };
    format!(
        "select key, value from (
            select key, value, row_number() over taken as nth,
                sum(octet_length(key) + octet_length(value)) over taken as bytes
            from (
                select key, value from taipan_store
                where owner = $1 and key >= $2 and key < $3
                order by key {order} limit $4
            ) as part
            window taken as (order by key {order} rows unbounded preceding)
        ) as summed
        where bytes <= $5 or (nth = 1 and $6)
        order by key {order}"
    )
}
