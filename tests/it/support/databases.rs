//! The same test on SQLite and on PostgreSQL.

/// Makes two tests of each `async fn(Lab)`. Without `LABQL_TEST_POSTGRES` the one on PostgreSQL is skipped.
macro_rules! on_both_databases {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            #[tokio::test]
            async fn sqlite() {
                super::$name($crate::support::Lab::sqlite()).await;
            }

            #[tokio::test]
            async fn postgres() {
                if let Some(lab) = $crate::support::Lab::postgres().await {
                    super::$name(lab).await;
                }
            }
        }
    )+};
}
