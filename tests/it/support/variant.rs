//! The PostgreSQL variant of an Autosubmit root: its SQLite files and pickles moved into a database.

use std::{fs, path::Path};

use super::client::PATIENCE;
use rusqlite::{Connection as Sqlite, OpenFlags, types::ValueRef};
use sea_orm::sqlx::{self, AssertSqlSafe, Connection, PgConnection};

/// A table as it is to be made.
#[derive(Default)]
struct Table {
    columns: Vec<(String, &'static str)>,
    /// Rows in the text format of `COPY`.
    rows: String,
}

/// Moves all tables of a root to a server: the central ones into the default schema, those of each experiment into its
/// own, and the pickles into `job_pkl`.
pub async fn move_to(root: &Path, url: &str) {
    let mut server = connect(url).await;
    let central = root.join("autosubmit.db");
    let expids = expids(&central);
    move_file(&mut server, &central, "public", &[]).await;
    move_file(&mut server, &root.join("as_times.db"), "public", &[]).await;
    run(
        &mut server,
        "CREATE TABLE job_pkl (expid VARCHAR PRIMARY KEY, pkl BYTEA, modified VARCHAR)",
    )
    .await;
    for expid in expids {
        run(&mut server, &format!("CREATE SCHEMA \"{expid}\"")).await;
        let list = root.join(&expid).join("db/job_list.db");
        // A structure that the new form of a list has replaced is not there any more.
        let replaced: &[&str] = if list.exists() {
            &["experiment_structure"]
        } else {
            &[]
        };
        for (file, without) in [
            (
                format!("metadata/structures/structure_{expid}.db"),
                replaced,
            ),
            (format!("metadata/data/job_data_{expid}.db"), &[]),
            (format!("{expid}/pkl/job_packages_{expid}.db"), &[]),
            (format!("{expid}/tmp/metrics_{expid}.db"), &[]),
            (format!("{expid}/db/job_list.db"), &[]),
        ] {
            move_file(&mut server, &root.join(file), &expid, without).await;
        }
        store_pickle(&mut server, root, &expid).await;
    }
    server.close().await.expect("a closed connection");
}

/// A connection to a database.
pub async fn connect(url: &str) -> PgConnection {
    PgConnection::connect(url).await.expect("a database")
}

/// Runs SQL, and has the server count at once what it wrote.
pub async fn sql(url: &str, statements: &str) {
    let mut server = connect(url).await;
    run(&mut server, statements).await;
    run(&mut server, "SELECT pg_stat_force_next_flush()").await;
    server.close().await.expect("a closed connection");
}

/// How often the tables of experiments have been read so far, once all mirrors have gone and their counts are in.
pub async fn scans(url: &str) -> i64 {
    let mut server = connect(url).await;
    let mirrors = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'labql' AND datname = current_database()";
    let asked = async {
        while sqlx::query_scalar::<_, i64>(mirrors)
            .fetch_one(&mut server)
            .await
            .expect("a count")
            > 0
        {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, asked).await.expect("an end");
    let scans =
        "SELECT coalesce(sum(seq_scan + coalesce(idx_scan, 0)), 0)::int8 FROM pg_stat_user_tables
        WHERE schemaname <> 'public'";
    let scans = sqlx::query_scalar(scans).fetch_one(&mut server).await;
    server.close().await.expect("a closed connection");
    scans.expect("a count")
}

/// Puts what stands in the pickle of an experiment into its row of `job_pkl`, and takes the file away.
pub async fn store_pickle(server: &mut PgConnection, root: &Path, expid: &str) {
    let path = root.join(format!("{expid}/pkl/job_list_{expid}.pkl"));
    let Ok(bytes) = fs::read(&path) else { return };
    let modified = fs::metadata(&path).and_then(|file| file.modified());
    // As Autosubmit writes it: on the clock of its machine.
    let modified: chrono::DateTime<chrono::Local> = modified.expect("a time").into();
    sqlx::query("DELETE FROM job_pkl WHERE expid = $1")
        .bind(expid)
        .execute(&mut *server)
        .await
        .expect("a deletion");
    sqlx::query("INSERT INTO job_pkl VALUES ($1, $2, $3)")
        .bind(expid)
        .bind(bytes)
        .bind(modified.format("%Y-%m-%d %H:%M:%S%.6f").to_string())
        .execute(server)
        .await
        .expect("a row");
    fs::remove_file(path).expect("a file");
}

fn expids(central: &Path) -> Vec<String> {
    let central = Sqlite::open(central).expect("a database");
    let mut names = central
        .prepare("SELECT name FROM experiment ORDER BY id")
        .expect("SQL");
    let names = names.query_map([], |row| row.get(0)).expect("rows");
    names.map(|name| name.expect("a name")).collect()
}

async fn run(server: &mut PgConnection, statements: &str) {
    sqlx::raw_sql(AssertSqlSafe(statements))
        .execute(server)
        .await
        .unwrap_or_else(|error| panic!("{statements}: {error}"));
}

/// Moves the tables of a file, if it is there, but those in `without`.
async fn move_file(server: &mut PgConnection, path: &Path, schema: &str, without: &[&str]) {
    if !path.exists() {
        return;
    }
    for (name, table) in read(path) {
        if without.contains(&name.as_str()) {
            continue;
        }
        let of = |column: &(String, &str)| format!("\"{}\" {}", column.0, column.1);
        let columns: Vec<_> = table.columns.iter().map(of).collect();
        let place = format!("\"{schema}\".\"{name}\"");
        run(
            server,
            &format!("CREATE TABLE {place} ({})", columns.join(", ")),
        )
        .await;
        let copy = format!("COPY {place} FROM STDIN");
        let mut copy = server
            .copy_in_raw(AssertSqlSafe(copy).0.as_str())
            .await
            .expect("a copy");
        copy.send(table.rows.as_bytes()).await.expect("rows");
        copy.finish().await.expect("the end of a copy");
    }
    fs::remove_file(path).expect("a file");
}

/// The tables of a file that is read as it is: without its write-ahead log there is nothing else.
fn read(path: &Path) -> Vec<(String, Table)> {
    let file =
        Sqlite::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).expect("a database");
    let mut names = file
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        .expect("SQL");
    let names: Vec<String> = names
        .query_map([], |row| row.get(0))
        .expect("rows")
        .map(|name| name.expect("a name"))
        .collect();
    names
        .into_iter()
        .map(|name| {
            let table = read_table(&file, &name);
            (name, table)
        })
        .collect()
}

fn read_table(file: &Sqlite, name: &str) -> Table {
    let mut columns = file
        .prepare("SELECT name, upper(type) FROM pragma_table_info(?1) ORDER BY cid")
        .expect("SQL");
    let columns = columns.query_map([name], |row| Ok((row.get(0)?, row.get(1)?)));
    let declared: Vec<(String, String)> = columns
        .expect("columns")
        .map(|column| column.expect("a column"))
        .collect();
    let mut statement = file
        .prepare(&format!("SELECT * FROM \"{name}\""))
        .expect("SQL");
    // SQLite keeps what it is given; a column gets the type that holds all of it.
    let mut types: Vec<_> = declared
        .iter()
        .map(|(_, declared)| type_of(declared))
        .collect();
    let mut rows = String::new();
    let mut found = statement.query([]).expect("rows");
    while let Some(row) = found.next().expect("a row") {
        for (index, kind) in types.iter_mut().enumerate() {
            if index > 0 {
                rows.push('\t');
            }
            let value = row.get_ref(index).expect("a value");
            *kind = wider(kind, value);
            rows.push_str(&copied(kind, value));
        }
        rows.push('\n');
    }
    let names = declared.into_iter().map(|(name, _)| name);
    Table {
        columns: names.zip(types).collect(),
        rows,
    }
}

fn type_of(declared: &str) -> &'static str {
    match declared {
        _ if declared.contains("INT") => "BIGINT",
        _ if declared.contains("BOOL") => "BOOLEAN",
        "REAL" | "FLOAT" | "DOUBLE" => "DOUBLE PRECISION",
        _ => "TEXT",
    }
}

fn wider(kind: &'static str, value: ValueRef<'_>) -> &'static str {
    match (kind, value) {
        ("BIGINT", ValueRef::Real(_)) => "DOUBLE PRECISION",
        ("BIGINT" | "BOOLEAN" | "DOUBLE PRECISION", ValueRef::Text(_)) => "TEXT",
        _ => kind,
    }
}

fn copied(kind: &str, value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "\\N".into(),
        ValueRef::Integer(number) if kind == "BOOLEAN" => (number != 0).to_string(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(text) => String::from_utf8_lossy(text)
            .replace('\0', "")
            .replace('\\', "\\\\")
            .replace('\t', "\\t")
            .replace('\n', "\\n")
            .replace('\r', "\\r"),
        ValueRef::Blob(_) => panic!("a blob"),
    }
}
