//! PostgreSQL: the contract, and what a server adds to it: owners, sessions that end, runtimes.
//!
//! One test with many cases, because they share a server.

use postgres::{Client, NoTls};
use taipan::ext::store::{Changes, Durability, PostgresStore, Store, StoreError};

use crate::cluster::Cluster;
use crate::{Place, contents, contract, puts, value};

struct Database {
    url: String,
    /// Before the names of owners, so that those of another run are not met.
    run: u64,
}

impl Database {
    fn store(&self, owner: &str) -> Result<PostgresStore, StoreError> {
        PostgresStore::connect(&self.url, &format!("{owner} {}", self.run))
    }

    fn admin(&self) -> Client {
        Client::connect(&self.url, NoTls).expect("the server")
    }
}

impl Place for Database {
    fn open(&self, name: &str) -> Result<Box<dyn Store>, StoreError> {
        Ok(Box::new(self.store(name)?))
    }

    fn keeps(&self) -> bool {
        true
    }
}

fn one(key: &[u8], value: &[u8]) -> Changes {
    puts([(key, value)])
}

#[test]
fn postgres_keeps_the_contract() {
    let cluster = Cluster::start();
    let run: u64 = rand::random();
    // A database of its own, also on a server that others use.
    let name = format!("taipan_{run}");
    let mut admin = Client::connect(&cluster.url, NoTls).expect("the server");
    admin
        .batch_execute(&format!("create database {name}"))
        .unwrap();
    let (server, _) = cluster.url.rsplit_once('/').expect("a URL with a database");
    let database = Database {
        url: format!("{server}/{name}"),
        run,
    };
    println!("many come first");
    many_come_first(&database);
    contract::all(&database);
    println!("owners are apart");
    owners_are_apart(&database);
    println!("a lost session");
    a_lost_session_is_replaced(&database);
    println!("another owner meanwhile");
    another_owner_meanwhile_is_noticed(&database);
    println!("within a runtime");
    within_a_runtime(&database);
    println!("large commits");
    large_commits_are_whole(&database);
    println!("refused commits");
    refused_commits_leave_nothing(&database);
    println!("names");
    names_have_no_password(&database);
    println!("durability");
    durability_is_the_servers(&database);
    println!("other versions");
    other_versions_are_refused(&database);
    println!("no server");
    no_server_is_unavailable();
    admin
        .batch_execute(&format!("drop database {name} with (force)"))
        .unwrap();
}

fn many_come_first(database: &Database) {
    std::thread::scope(|scope| {
        let owners: Vec<_> = (0..8)
            .map(|number| scope.spawn(move || database.store(&format!("first {number}")).map(drop)))
            .collect();
        for owner in owners {
            owner.join().unwrap().unwrap();
        }
    });
}

fn owners_are_apart(database: &Database) {
    let mut one_owner = database.store("one").unwrap();
    let mut other = database.store("other").unwrap();
    one_owner.commit(&one(b"a", b"of one")).unwrap();
    other.commit(&one(b"a", b"of the other")).unwrap();
    other.commit(&one(b"b", b"of the other")).unwrap();
    let mut deleted = Changes::new();
    deleted.delete(&b"b"[..]);
    one_owner.commit(&deleted).unwrap();
    assert_eq!(
        contents(&mut one_owner),
        [(b"a".to_vec(), b"of one".to_vec())]
    );
    assert_eq!(contents(&mut other).len(), 2);
}

/// Ends the sessions that hold the lock of a store and waits until they are gone.
fn end_sessions(database: &Database) {
    let ended = database
        .admin()
        .query(
            "select pg_terminate_backend(pid, 60000) from pg_stat_activity
             where application_name = 'taipan' and datname = current_database()",
            &[],
        )
        .unwrap();
    assert!(!ended.is_empty());
}

fn a_lost_session_is_replaced(database: &Database) {
    let mut store = database.store("lost").unwrap();
    let mut lost = 0;
    for round in 0..5_u8 {
        store.commit(&one(&[round], b"before")).unwrap();
        end_sessions(database);
        let changes = one(&[100 + round], b"after");
        match store.commit(&changes) {
            Ok(()) => {}
            Err(StoreError::Unavailable(_)) => {
                lost += 1;
                store.commit(&changes).unwrap();
            }
            Err(error) => panic!("{error:?}"),
        }
        let second = database.store("lost");
        assert!(matches!(second, Err(StoreError::Locked(_))), "{second:?}");
        assert_eq!(contents(&mut store).len(), 2 * (usize::from(round) + 1));
    }
    println!("{lost} calls were told");
}

fn another_owner_meanwhile_is_noticed(database: &Database) {
    let mut store = database.store("meanwhile").unwrap();
    store.commit(&one(b"a", b"1")).unwrap();
    end_sessions(database);
    let mut other = database.store("meanwhile").unwrap();
    other.commit(&one(b"a", b"2")).unwrap();
    drop(other);
    let changes = one(b"a", b"3");
    let mut results = (0..3).map(|_| store.commit(&changes));
    let refused = results.find(|result| !matches!(result, Err(StoreError::Unavailable(_))));
    assert!(
        matches!(refused, Some(Err(StoreError::Locked(_)))),
        "{refused:?}"
    );
    // The next one that is opened is welcome.
    let mut next = database.store("meanwhile").unwrap();
    assert_eq!(next.get(b"a").unwrap().as_deref(), Some(&b"2"[..]));
}

fn within_a_runtime(database: &Database) {
    let use_it = async || {
        let mut store = database.store("runtime").unwrap();
        store.commit(&one(b"a", b"1")).unwrap();
        assert_eq!(contents(&mut store).len(), 1);
        store.verify(&mut |_| {}).unwrap();
    };
    let runtime = tokio::runtime::Builder::new_current_thread();
    let mut runtime = runtime;
    runtime.build().unwrap().block_on(use_it());
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.build().unwrap().block_on(use_it());
}

fn large_commits_are_whole(database: &Database) {
    let mut store = database.store("huge").unwrap();
    store.commit(&one(b"before", b"1")).unwrap();
    let mut changes = Changes::new();
    changes.delete(&b"before"[..]);
    // More than goes into one statement.
    let values: Vec<Vec<u8>> = (0..5).map(|seed| value(seed * 2 + 1, 30 << 20)).collect();
    for (number, value) in (0_u8..).zip(&values) {
        changes.put([number], value.clone());
    }
    store.commit(&changes).unwrap();
    let rows = contents(&mut store);
    assert!(rows.iter().map(|(_, value)| value).eq(&values));
}

fn refused_commits_leave_nothing(database: &Database) {
    let mut store = database.store("refused").unwrap();
    store.commit(&one(b"before", b"1")).unwrap();
    let mut admin = database.admin();
    admin
        .batch_execute(
            "alter table taipan_store add constraint odd check (value <> 'odd') not valid",
        )
        .unwrap();
    let mut small = Changes::new();
    small.delete(&b"before"[..]);
    small.put(&b"a"[..], &b"1"[..]);
    small.put(&b"z"[..], &b"odd"[..]);
    // The last of several statements is the one that is refused.
    let mut large = small.clone();
    for number in 0..3_u8 {
        large.put([number], value(1, 30 << 20));
    }
    for changes in [&small, &large] {
        let refused = store.commit(changes);
        assert!(matches!(refused, Err(StoreError::Failed(_))), "{refused:?}");
        assert_eq!(contents(&mut store), [(b"before".to_vec(), b"1".to_vec())]);
    }
    admin
        .batch_execute("alter table taipan_store drop constraint odd")
        .unwrap();
    store.commit(&small).unwrap();
    assert_eq!(contents(&mut store).len(), 2);
}

fn names_have_no_password(database: &Database) {
    let store = database.store("named").unwrap();
    let name = store.name();
    assert!(name.starts_with("postgres:"), "{name}");
    assert!(name.contains("named") && name.contains("taipan_"), "{name}");
    assert!(!name.contains("secret"), "{name}");
    assert!(!format!("{store:?}").contains("secret"));
}

fn durability_is_the_servers(database: &Database) {
    let synchronous = |value: &str| {
        let options = format!("?options=-c%20synchronous_commit%3D{value}");
        PostgresStore::connect(&format!("{}{options}", database.url), "durable").unwrap()
    };
    assert_eq!(synchronous("on").durability(), Durability::Disk);
    let mut store = synchronous("off");
    assert_eq!(store.durability(), Durability::Machine(None));
    store.commit(&one(b"a", b"1")).unwrap();
    store.sync().unwrap();
    assert_eq!(contents(&mut store).len(), 1);
}

fn other_versions_are_refused(database: &Database) {
    let mut admin = database.admin();
    let set = "update taipan_store_format set version = $1";
    admin.execute(set, &[&7_i64]).unwrap();
    match database.store("version") {
        Err(StoreError::Version { found: 7, known: 1 }) => {}
        other => panic!("{other:?}"),
    }
    admin.execute(set, &[&1_i64]).unwrap();
    database.store("version").unwrap();
    admin
        .batch_execute("alter table taipan_store rename to hidden")
        .unwrap();
    let opened = database.store("version");
    assert!(matches!(opened, Err(StoreError::Corrupt(_))), "{opened:?}");
    admin
        .batch_execute("alter table hidden rename to taipan_store")
        .unwrap();
    database.store("version").unwrap();
}

fn no_server_is_unavailable() {
    // Nobody listens where a listener has just been.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let url = format!("postgres://nobody@127.0.0.1:{port}/none");
    let opened = PostgresStore::connect(&url, "owner");
    assert!(
        matches!(opened, Err(StoreError::Unavailable(_))),
        "{opened:?}"
    );
    for (url, owner) in [
        ("no url", "owner"),
        (url.as_str(), ""),
        (url.as_str(), "\0"),
    ] {
        let opened = PostgresStore::connect(url, owner);
        assert!(matches!(opened, Err(StoreError::Failed(_))), "{opened:?}");
    }
}
