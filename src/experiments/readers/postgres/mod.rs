//! The PostgreSQL variant of an Autosubmit installation (`DATABASE.BACKEND = postgres` of its configuration): the central
//! tables in the default schema, those of each experiment in a schema that is named after it, and the pickles of job
//! lists in the central table `job_pkl`.
//!
//! Nothing is written there, and little is trusted: tables are read within read-only transactions of a limited time,
//! values are bound, names are quoted, and only ordinary tables and columns of PostgreSQL's own types are read, since
//! views, row security and types of others could run what their authors like.

mod picture;
mod shape;
mod states;

pub(crate) use picture::Picture;

use std::{fmt, io, str::FromStr, sync::Arc, time::Duration};

use sea_orm::sqlx::{
    self, ConnectOptions, Connection, Error, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::{runtime::Handle, time::timeout};

use super::SourceError;

/// How many transactions there are at once: those of the mirror, and those of questions.
const MAX_CONNECTIONS: u32 = 6;
/// How long to wait for a connection, and for one that comes back to show that it is still good.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long to wait for an answer: longer than the server itself may take for a statement, as it is told in
/// [`picture`]. A server that has stalled, or a network that swallows packets, tells of nothing.
const DEADLINE: Duration = Duration::from_secs(40);
/// How long a connection that nobody needs is kept.
const IDLE: Duration = Duration::from_mins(1);

/// The server that holds the tables of an installation.
pub struct Server {
    pool: PgPool,
    /// Readers block: their questions are asked on the runtime to which the connections belong.
    runtime: Handle,
}

impl fmt::Debug for Server {
    /// Without what would tell the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").finish_non_exhaustive()
    }
}

impl Server {
    /// The server of this URL, as Autosubmit's configuration has it (`postgresql+psycopg2://…` is also taken). No
    /// connection is made yet. It belongs to the runtime that this is called in, and may only be read on threads of it
    /// that may block.
    ///
    /// # Errors
    /// What is wrong with the URL, without telling it.
    pub fn open(url: &str) -> Result<Arc<Self>, &'static str> {
        const EXPECTED: &str = "it is not the URL of a PostgreSQL database, such as postgres://USER:PASSWORD@HOST/NAME";
        let (scheme, rest) = url.split_once("://").ok_or(EXPECTED)?;
        let (dialect, _driver) = scheme.split_once('+').unwrap_or((scheme, ""));
        if !matches!(dialect, "postgres" | "postgresql") {
            return Err(EXPECTED);
        }
        let options = PgConnectOptions::from_str(&format!("postgres://{rest}"));
        let options = options.map_err(|_| EXPECTED)?;
        for parameter in unknown_parameters(rest) {
            tracing::warn!(
                parameter,
                "the URL of Autosubmit's database: it is not known, and left out"
            );
        }
        let runtime = Handle::try_current().map_err(|_| "there is no runtime to connect in")?;
        let pool = PgPoolOptions::new()
            .max_connections(MAX_CONNECTIONS)
            .acquire_timeout(PATIENCE)
            .idle_timeout(IDLE)
            .after_release(|connection, _| Box::pin(still_good(connection)))
            .connect_lazy_with(
                options
                    .application_name("labql")
                    .disable_statement_logging(),
            );
        Ok(Arc::new(Self { pool, runtime }))
    }

    /// Whether the server answers at all.
    pub(super) fn answers(&self) -> bool {
        let question = async { sqlx::raw_sql("SELECT 1").execute(&self.pool).await };
        self.wait(PATIENCE, question).is_ok()
    }

    /// Waits for an answer, but not for ever.
    fn wait<T>(
        &self,
        most: Duration,
        answer: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let answer = async {
            timeout(most, answer)
                .await
                .unwrap_or_else(|_| Err(late(most)))
        };
        self.runtime.block_on(answer)
    }
}

/// The parameters of sqlx, which logs others with their values. That is filtered out, since these may be secrets.
const PARAMETERS: [&str; 18] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
];

/// The names of those parameters of a URL that are not known.
fn unknown_parameters(url: &str) -> impl Iterator<Item = &str> {
    let (_, query) = url.split_once('?').unwrap_or_default();
    let names = query
        .split('&')
        .filter_map(|part| Some(part.split_once('=')?.0));
    names.filter(|name| !PARAMETERS.contains(name) && !name.starts_with("options["))
}

fn late(waited: Duration) -> Error {
    let message = format!("no answer within {} seconds", waited.as_secs());
    Error::Io(io::Error::new(io::ErrorKind::TimedOut, message))
}

/// Has a connection that does not answer any more thrown away instead of kept: a question to it was given up.
async fn still_good(connection: &mut PgConnection) -> Result<bool, Error> {
    let answer = timeout(PATIENCE, connection.ping()).await;
    answer.unwrap_or_else(|_| Err(late(PATIENCE)))?;
    Ok(true)
}

/// What an error of the server means to the reader of a table.
fn source_error(table: &str, error: &Error) -> SourceError {
    let of_table = |transient, message: String| SourceError::Table {
        table: table.to_owned(),
        message,
        transient,
    };
    match error {
        Error::Database(error) => {
            let code = error.code().unwrap_or_default();
            let message = error.message();
            match &*code {
                // statement_timeout, lock_timeout
                "57014" | "55P03" => SourceError::Slow {
                    table: table.to_owned(),
                },
                // undefined_table, undefined_column, internal_error: it has just been replaced
                "42P01" | "42703" | "XX000" => of_table(true, message.to_owned()),
                _ if is_outage(&code) => SourceError::Unavailable(message.to_owned()),
                _ => of_table(is_passing(&code), message.to_owned()),
            }
        }
        Error::Decode(error) => of_table(false, error.to_string()),
        Error::ColumnDecode { source, .. } => of_table(false, source.to_string()),
        Error::PoolTimedOut => {
            let seconds = PATIENCE.as_secs();
            SourceError::Unavailable(format!("no connection within {seconds} seconds"))
        }
        other => SourceError::Unavailable(other.to_string()),
    }
}

/// Whether a code means that the whole server cannot be asked
/// (<https://www.postgresql.org/docs/current/errcodes-appendix.html>): connection exceptions, wrong names and passwords,
/// unknown databases, too many connections, a transaction that was too long idle, a server that starts or ends.
fn is_outage(code: &str) -> bool {
    ["08", "28", "3D", "53300", "57P", "25P03"]
        .iter()
        .any(|class| code.starts_with(class))
}

/// Whether a code means that a question fails just now, and others may not: it was in the way of what a standby replays
/// (`40001`) or of somebody else, or there was no disk, memory or file descriptor left for it.
fn is_passing(code: &str) -> bool {
    ["40", "53", "58"]
        .iter()
        .any(|class| code.starts_with(class))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn urls_are_told_by_their_scheme_and_never_shown() {
        for url in [
            "postgres://a:secret@h/d",
            "postgresql://a:secret@h/d",
            "postgresql+psycopg2://a:secret@h:5/d?sslmode=require",
        ] {
            let server = Server::open(url).unwrap();
            assert!(!format!("{server:?}").contains("secret"));
        }
        for url in [
            "",
            "sqlite:a.db",
            "mysql://a:secret@h/d",
            "postgres://a:secret@h:x/d",
        ] {
            let message = Server::open(url).unwrap_err();
            assert!(!message.contains("secret"), "{url}");
        }
    }

    #[test]
    fn unknown_parameters_are_named_without_their_values() {
        let url = "a:b@h/d?sslmode=require&options[geqo]=off&token=secret&x=y";
        assert_eq!(unknown_parameters(url).collect::<Vec<_>>(), ["token", "x"]);
        assert_eq!(unknown_parameters("a:b@h/d").count(), 0);
    }

    #[test]
    fn one_question_that_fails_is_no_outage() {
        for code in ["08006", "28P01", "3D000", "53300", "57P01", "57P03"] {
            assert!(is_outage(code), "{code}");
        }
        for code in ["53100", "53200", "53400", "40001", "58030"] {
            assert!(!is_outage(code) && is_passing(code), "{code}");
        }
        assert!(!is_outage("42501") && !is_passing("42501"));
    }
}
